namespace Build.ML.Graph.Shapes.Rules;

/// <summary>Sequences and optionals.</summary>
[ShapeRules]
sealed class SequenceShapes : ShapeRuleTable
{
    public SequenceShapes()
    {
        Rule("SequenceConstruct", c =>
        {
            var element = c.TypeOf(0);
            for (var i = 1; i < c.InputCount; i++)
            {
                element = TypeMerge.Common(element, c.TypeOf(i));
            }

            c.Set(0, new SequenceType(element));
        });
        Rule("SequenceEmpty", c => c.Set(0, new SequenceType(new TensorType(c.Element("dtype", DataType.Float)))));
        Rule("SequenceInsert", c =>
        {
            var sequence = c.TypeOf(0) as SequenceType;
            var empty = c.Node.Input(0)?.Producer?.Is("SequenceEmpty") == true;
            c.Set(0, sequence is null ? null : new SequenceType(empty ? c.TypeOf(1) : TypeMerge.Common(sequence.ElementType, c.TypeOf(1)) ?? sequence.ElementType));
        });
        Rule("SequenceErase", c => c.Set(0, c.TypeOf(0)));
        Rule("SequenceAt", c => c.Set(0, (c.TypeOf(0) as SequenceType)?.ElementType));
        Rule("SequenceLength", c => c.Set(0, DataType.Int64, new Shape()));
        Rule("SplitToSequence", SplitToSequence);
        Rule("ConcatFromSequence", ConcatFromSequence);
        Rule("SequenceMap", SequenceMap);
        Rule("Optional", c => c.Set(0, new OptionalType(c.TypeOf(0) ?? c.Attribute("type")?.Value as OnnxType)));
        Rule("OptionalHasElement", c => c.Set(0, DataType.Bool, new Shape()));
        Rule("OptionalGetElement", c => c.Set(0, c.TypeOf(0) is OptionalType optional ? optional.ElementType : c.TypeOf(0)));
    }

    private static void SplitToSequence(ShapeContext c)
    {
        if (c.ShapeOf(0) is not { } x)
        {
            c.Set(0, c.ElementOf(0) == DataType.Undefined ? null : new SequenceType(new TensorType(c.ElementOf(0))));
            return;
        }

        var axis = ShapeFormulas.Axis(c.Int("axis", 0), x.Rank);
        var element = x.With(axis, Dimension.Unknown);
        if (!c.HasInput(1))
        {
            element = c.Int("keepdims", 1) != 0 ? x.With(axis, 1) : new Shape(x.Dimensions.RemoveAt(axis));
        }
        else if (c.ValuesOf(1) is { Length: > 0 } sizes && (c.ShapeOf(1)?.Rank == 1
            ? sizes.Distinct().Count() == 1 : x[axis].Size is { } total && total % sizes[0] == 0))
        {
            element = x.With(axis, sizes[0]);
        }

        c.Set(0, new SequenceType(new TensorType(c.ElementOf(0), element)));
    }

    private static void ConcatFromSequence(ShapeContext c)
    {
        if ((c.TypeOf(0) as SequenceType)?.ElementType is not TensorType element)
        {
            return;
        }

        var axis = c.Int("axis", 0);
        c.Set(0, element.ElementType, element.Shape is not { } x ? null : c.Int("new_axis", 0) != 0
            ? new Shape(x.Dimensions.Insert(ShapeFormulas.Axis(axis, x.Rank + 1), Dimension.Unknown))
            : x.With((int)axis, Dimension.Unknown));
    }

    private static void SequenceMap(ShapeContext c)
    {
        var outputs = c.InferSubgraph("body", [.. Enumerable.Range(0, c.InputCount).Select(i => c.TypeOf(i) is SequenceType s ? s.ElementType : c.TypeOf(i))]);
        for (var i = 0; i < outputs?.Count; i++)
        {
            // Elements of one sequence may differ in shape.
            c.Set(i, new SequenceType(outputs[i] is TensorType t ? new TensorType(t.ElementType) : outputs[i]));
        }
    }
}
