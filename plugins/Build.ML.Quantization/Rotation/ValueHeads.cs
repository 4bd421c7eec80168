using System.Collections.Immutable;
using Build.ML.Graph.Ir;
using Build.ML.Quantization.Folding;

namespace Build.ML.Quantization.Rotation;

/// <summary>
/// Values of an attention: each head of them can be rotated on its own, since attention only averages over positions; the product before makes rotated values, the one after reads them.
/// </summary>
internal sealed class ValueHeads
{
    private static readonly HashSet<string> Passing =
        ["MatMul", "Gemm", "Add", "Reshape", "Transpose", "Squeeze", "Unsqueeze", "Flatten", "Tile", "Expand", "Identity", "Split", "Cast", "MultiHeadAttention", "GroupQueryAttention"];

    private readonly ImmutableArray<Absorption> _makers;
    private readonly ImmutableArray<int> _headOfMaker;

    private ValueHeads(LayerGroup group, int size, ImmutableArray<Absorption> makers, ImmutableArray<int> headOfMaker, ImmutableArray<int> headOfReader) =>
        (Group, Size, _makers, _headOfMaker, HeadOfReader) = (group, size, makers, headOfMaker, headOfReader);

    /// <summary>The layers that read the attended values.</summary>
    public LayerGroup Group { get; }

    /// <summary>Channels of a head.</summary>
    public int Size { get; }

    /// <summary>Heads that have a rotation of their own.</summary>
    public int Count => HeadOfReader.Max() + 1;

    /// <summary>For each head that is read, whose rotation it has: several query heads may read one value head.</summary>
    public ImmutableArray<int> HeadOfReader { get; }

    /// <summary>The product that makes the values.</summary>
    public Node Maker => _makers.First(m => m.Input == 1 && m.Node.OpType is "MatMul" or "Gemm").Node;

    /// <summary>For each head-sized run of the maker's outputs, whose rotation it has; −1 where it is no value.</summary>
    public ImmutableArray<int> HeadOfMaker => _headOfMaker;

    /// <summary>Finds out whether what a group reads are attended values.</summary>
    public static ValueHeads? Of(LayerGroup group, IReadOnlyDictionary<(string Domain, string OpType), FoldRule> rules)
    {
        if (group.Obstacle() is not null || group.Layers.Any(l => l.OpType == "Conv") || group.Activation.Uses.Count != group.Layers.Length)
        {
            return null;
        }

        var walk = new FoldWalk(rules, group.Channels);
        if (walk.Through(group.Activation, ChannelGrid.Channels(group.Channels)) is not null || walk.Nodes.Any(n => !Passing.Contains(n.OpType)))
        {
            return null;
        }

        var size = walk.Nodes.Select(HeadSize).FirstOrDefault(s => s > 1);
        if (size < 2 || group.Channels % size != 0)
        {
            return null;
        }

        // The head of each run of channels is that of the first channel it is tied to.
        var readers = new int[group.Channels / size];
        var heads = new Dictionary<int, int>();
        for (var h = 0; h < readers.Length; h++)
        {
            var first = walk.Ties.Of(h * size);
            for (var i = 0; i < size; i++)
            {
                if (walk.Ties.Of(h * size + i) != first + i)
                {
                    return null;
                }
            }

            heads.TryAdd(first, heads.Count);
            readers[h] = heads[first];
        }

        if (walk.Absorptions.Count(a => a.Input == 1 && a.Node.OpType is "MatMul" or "Gemm") != 1
            || walk.Absorptions.Any(a => a.Node.OpType is not ("MatMul" or "Gemm" or "Add")))
        {
            return null;
        }

        int[]? makers = null;
        foreach (var absorption in walk.Absorptions)
        {
            var labels = absorption.Grid.Labels;
            if (labels.Length % size != 0 || absorption.Grid.Sizes.Max() != labels.Length)
            {
                return null;
            }

            var runs = new int[labels.Length / size];
            for (var run = 0; run < runs.Length; run++)
            {
                var label = labels[run * size];
                var first = label < 0 ? -1 : walk.Ties.Of(label);
                for (var i = 0; i < size; i++)
                {
                    if (label < 0 ? labels[run * size + i] != -1 : walk.Ties.Of(labels[run * size + i]) != first + i)
                    {
                        return null;
                    }
                }

                runs[run] = label < 0 ? -1 : heads.GetValueOrDefault(first, -2);
            }

            if (runs.Contains(-2) || (makers is not null && !makers.AsSpan().SequenceEqual(runs)))
            {
                return null;
            }

            makers = runs;
        }

        return new(group, size, [.. walk.Absorptions], [.. makers!], [.. readers]);
    }

    /// <summary>Rotates the heads.</summary>
    /// <param name="heads"><see cref="Count"/> orthogonal matrices, row-major [Size, Size].</param>
    /// <param name="threads">Cores to use.</param>
    public void Rotate(float[][] heads, int threads)
    {
        var edit = new RotationEdit(threads);
        var made = new BlockRotation(Size, [.. _headOfMaker.Select(h => h < 0 ? null : heads[h])]);
        foreach (var (node, input, _) in _makers)
        {
            if (input == 1 && node.OpType is "MatMul" or "Gemm")
            {
                edit.Writer(node, made);
            }
            else
            {
                edit.Table(new(node, input), made);
            }
        }

        var read = new BlockRotation(Size, [.. HeadOfReader.Select(h => heads[h])]);
        foreach (var layer in Group.Layers)
        {
            edit.Reader(layer.Node, read);
        }
    }

    private static int HeadSize(Node node) => node switch
    {
        { OpType: "MatMul" } when node.Inputs[1]!.Constant is null => (int)(node.Inputs[1]!.Shape is { Rank: > 0 } s ? s[-1].Size ?? 0 : 0),
        { Domain: "com.microsoft" } when node.Int("num_heads", 0) > 0 && node.Outputs[0].Shape is { Rank: > 0 } y && y[-1].Size is { } width => (int)(width / node.Int("num_heads", 1)),
        _ => 0,
    };
}
