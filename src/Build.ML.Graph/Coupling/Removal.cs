using System.Collections.Immutable;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;

namespace Build.ML.Graph.Coupling;

/// <summary>Which positions stay, and the edit of a graph that leaves only these.</summary>
sealed class Removal(IReadOnlyDictionary<AxisCell, bool[]> kept)
{
    /// <summary>The positions of a dimension that stay, ascending; null for all.</summary>
    public int[]? Kept(DimensionLayout layout)
    {
        if (MaskOf(layout.Resolve()) is not { } mask)
        {
            return null;
        }

        var positions = new List<int>(mask.Length);
        for (var i = 0; i < mask.Length; i++)
        {
            if (mask[i])
            {
                positions.Add(i);
            }
        }

        return [.. positions];
    }

    /// <summary>Edits a graph: the one analysed, or a copy of it.</summary>
    /// <param name="edits">Of the analysis.</param>
    /// <param name="at">The node to edit for one of the analysis.</param>
    public void Apply(GraphEdits edits, Func<Node, Node> at)
    {
        var shapes = new Dictionary<string, Shape?>(StringComparer.Ordinal); // of the values analysed, by name: a copy has its own values

        Shape? ShapeOf(Value value)
        {
            if (shapes.Count == 0)
            {
                foreach (var (known, type) in edits.Types)
                {
                    shapes[known.Name] = (type as TensorType)?.Shape;
                }
            }

            return value.Constant is { } constant ? constant.Shape : shapes.GetValueOrDefault(value.Name);
        }

        // Sizes first: they read elements of inputs that a constant's cut does not touch.
        foreach (var group in edits.Sizes.GroupBy(e => (e.Node, e.Attribute, e.Input)))
        {
            var values = new SortedDictionary<int, long>();
            foreach (var edit in group)
            {
                if (Kept(edit.Layout) is { } positions)
                {
                    values[edit.Element] = positions.Count(p => p < edit.Count);
                }
            }

            if (values.Count > 0 && group.Key.Attribute is { } name)
            {
                SetAttribute(at(group.Key.Node), name, values);
            }
            else if (values.Count > 0)
            {
                var node = at(group.Key.Node);
                var old = node.Inputs[group.Key.Input]!;
                node.SetInput(group.Key.Input, new ShapeInput(node, group.Key.Input, edits.Computed.GetValueOrDefault(group.Key.Node.Inputs[group.Key.Input]!), ShapeOf).WithElements(old, values));
                Forget(old);
            }
        }

        foreach (var split in edits.Splits)
        {
            if (split.Parts.Any(p => Kept(p) is not null))
            {
                SetSizes(at(split.Node), split.Opset, [.. split.Parts.Select(p => Kept(p)?.Length ?? p.Size)]);
            }
        }

        foreach (var group in edits.Constants.GroupBy(c => c.Constant))
        {
            Cut(group.Key, [.. group], at);
        }
    }

    private bool[]? MaskOf(DimensionLayout layout)
    {
        if (layout.Cell is { } cell)
        {
            return kept.GetValueOrDefault(cell);
        }

        if (!layout.IsKnown || !layout.Cells().Any(kept.ContainsKey))
        {
            return null;
        }

        var mask = new bool[layout.Size];
        Array.Fill(mask, true);
        long start = 0, inner = layout.Size;
        foreach (var part in layout.Parts)
        {
            var count = inner;
            inner = layout.IsSum ? inner : inner / part.Size;
            if (MaskOf(part) is { } own && layout.IsSum)
            {
                own.CopyTo(mask, start);
            }
            else if (MaskOf(part) is { } factor)
            {
                for (var i = 0; i < mask.Length; i++)
                {
                    mask[i] &= factor[i % count / inner];
                }
            }

            start += part.Size;
        }

        return mask;
    }

    private static void SetAttribute(Node node, string name, SortedDictionary<int, long> values)
    {
        if (node.Ints(name) is { IsDefault: false } list)
        {
            var edited = list.ToArray();
            foreach (var (element, value) in values)
            {
                edited[element] = value;
            }

            node.SetAttribute(NodeAttribute.Ints(name, edited));
        }
        else
        {
            node.SetAttribute(NodeAttribute.Int(name, values[0]));
        }
    }

    /// <summary>Sizes are an attribute before version 13, an input since; num_outputs (version 18) excludes the input.</summary>
    private static void SetSizes(Node node, long opset, long[] sizes)
    {
        var isDefault = node.Input(1) is null && node.Ints("split").IsDefault;
        if (isDefault && Array.TrueForAll(sizes, s => s == sizes[0]))
        {
            return;
        }

        if (opset is > 0 and < 13)
        {
            node.SetAttribute(NodeAttribute.Ints("split", sizes));
            return;
        }

        node.RemoveAttribute("num_outputs");
        node.SetInput(1, node.Graph.AddInitializer(node.Outputs[0].Name + "_sizes", Tensor.Of(sizes, sizes.Length)));
    }

    private void Cut(Value constant, IReadOnlyList<ConstantUse> uses, Func<Node, Node> at)
    {
        var cuts = new List<(int[]?[] Kept, List<Use> Readers)>();
        foreach (var use in uses)
        {
            int[]?[] positions = [.. use.Layouts.Select(Kept)];
            var same = cuts.FindIndex(c => c.Kept.Zip(positions).All(p => p.First is null == p.Second is null
                && (p.First is null || p.First.AsSpan().SequenceEqual(p.Second))));
            if (same < 0)
            {
                cuts.Add((positions, []));
                same = cuts.Count - 1;
            }

            cuts[same].Readers.AddRange(use.Readers);
        }

        foreach (var (positions, readers) in cuts)
        {
            if (positions.All(p => p is null))
            {
                continue;
            }

            // Looked up through a reader: a copy of the graph has its own values.
            var value = at(readers[0].Node).Inputs[readers[0].Index]!;
            var tensor = SlicedContent.Slice(value.Constant!, positions);
            if (readers.Count == constant.Uses.Count && !constant.IsGraphOutput)
            {
                Replace(value, tensor);
                continue;
            }

            var own = value.Graph.AddInitializer(value.Name + "_cut", tensor);
            foreach (var reader in readers)
            {
                at(reader.Node).SetInput(reader.Index, own);
            }
        }
    }

    /// <summary>What nobody reads any more goes.</summary>
    private static void Forget(Value value)
    {
        if (!value.IsUnused || value.IsGraphInput)
        {
            return;
        }

        if (value.Initializer is not null)
        {
            value.Graph.SetInitializer(value, null);
        }
        else if (value.Producer is { OpType: "Constant", Domain: "" } node)
        {
            node.Graph.Remove(node);
        }
    }

    private static void Replace(Value value, Tensor tensor)
    {
        if (value.Initializer is not null)
        {
            value.Graph.SetInitializer(value, tensor);
        }
        else
        {
            value.Producer!.SetAttribute(NodeAttribute.Tensor("value", tensor));
        }

        value.Type = value.Type is null ? null : new TensorType(tensor.Type, tensor.Shape);
    }
}
