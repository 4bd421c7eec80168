using System.Collections.Immutable;
using Build.ML.Calibration;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;

namespace Build.ML.Quantization.Static.Rounding;

/// <summary>A layer with a weight seen as y = W·row + b: how its rows come out of the activation that it reads.</summary>
/// <param name="node">A Conv of one or two spatial dimensions, a MatMul, or a Gemm without transA.</param>
/// <param name="columns">Length of a row.</param>
/// <param name="groups">Groups of outputs that read rows of their own.</param>
internal sealed class LayerRows(Node node, int columns, int groups)
{
    /// <summary>Length of a row.</summary>
    public int Columns => columns;

    /// <summary>Groups of outputs that read rows of their own; 1 but for convolutions.</summary>
    public int Groups => groups;

    /// <summary>The layer's rows, or null where it cannot be seen so.</summary>
    public static LayerRows? Of(QdqNode layer)
    {
        var node = layer.Node;
        var weight = node.Inputs[1]!.Constant!;
        return node.OpType switch
        {
            "Conv" when Im2Col.Supports(node) => new(node, (int)(weight.Count / weight.Sizes[0]), (int)node.Int("group", 1)),
            "Gemm" when node.Int("transA", 0) == 0 => new(node, (int)weight.Sizes[1 - layer.Form.WeightAxis!.Value], 1),
            "MatMul" => new(node, (int)weight.Sizes[0], 1),
            _ => null,
        };
    }

    /// <summary>Number of rows in an activation.</summary>
    public long Count(ImmutableArray<long> sizes) => node.OpType == "Conv"
        ? sizes[0] * Im2Col.Of(node, sizes.AsSpan()).Positions
        : sizes.Aggregate(1L, (a, b) => a * b) / columns;

    /// <summary>Copies chosen rows of an activation.</summary>
    /// <param name="activation">What the layer reads.</param>
    /// <param name="chosen">Which rows, ascending, and their places.</param>
    /// <param name="to">By group: [places, width].</param>
    /// <param name="width">At least <see cref="Columns"/>.</param>
    public void Copy(Tensor activation, ReadOnlySpan<(long Row, int Place)> chosen, float[][] to, int width)
    {
        using var view = activation.Read<float>();
        if (node.OpType != "Conv")
        {
            foreach (var (row, place) in chosen)
            {
                view.Span.Slice((int)row * columns, columns).CopyTo(to[0].AsSpan(place * width));
            }

            return;
        }

        var geometry = Im2Col.Of(node, activation.Sizes.AsSpan());
        foreach (var (row, place) in chosen)
        {
            var image = view.Span.Slice((int)(row / geometry.Positions) * geometry.ImageLength, geometry.ImageLength);
            for (var group = 0; group < groups; group++)
            {
                geometry.Row(image, group, (int)(row % geometry.Positions), to[group].AsSpan(place * width, columns));
            }
        }
    }

    /// <summary>Adds up all rows of an activation.</summary>
    /// <param name="activation">What the layer reads.</param>
    /// <param name="sums">[groups, columns].</param>
    public void Sum(Tensor activation, double[] sums)
    {
        using var view = activation.Read<float>();
        if (node.OpType != "Conv")
        {
            for (var start = 0; start + columns <= view.Span.Length; start += columns)
            {
                for (var k = 0; k < columns; k++)
                {
                    sums[k] += view.Span[start + k];
                }
            }

            return;
        }

        var geometry = Im2Col.Of(node, activation.Sizes.AsSpan());
        for (var start = 0; start + geometry.ImageLength <= view.Span.Length; start += geometry.ImageLength)
        {
            for (var group = 0; group < groups; group++)
            {
                geometry.AddRows(view.Span.Slice(start, geometry.ImageLength), group, sums.AsSpan(group * columns, columns));
            }
        }
    }
}
