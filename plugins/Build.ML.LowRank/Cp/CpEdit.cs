using System.Collections.Immutable;
using Build.ML.Calibration.Layers;
using Build.ML.Graph.Ir;
using Build.ML.LowRank.Layers;

namespace Build.ML.LowRank.Cp;

/// <summary>Puts four convolutions in the place of one: 1×1 to one channel for each term, along rows and along columns within a channel, 1×1 to the outputs.</summary>
internal static class CpEdit
{
    /// <summary>Edits the graph; the layer's weight goes away.</summary>
    /// <param name="layer">A convolution of two dimensions.</param>
    /// <param name="cp">Its terms.</param>
    /// <param name="rank">Their number.</param>
    public static void Apply(WeightLayer layer, CpDecomposition cp, int rank)
    {
        var graph = layer.Weight.Graph;
        var sizes = layer.Tensor.Sizes;
        Value Add(string suffix, float[] elements, params ReadOnlySpan<long> shape) => graph.AddInitializer(layer.Weight.Name + suffix, FactorEdit.Of(layer, elements, shape));
        var down = Add(".down", Floats(cp.Inputs), rank, sizes[1], 1, 1);
        var rows = Add(".rows", Floats(cp.Rows), rank, 1, sizes[2], 1);
        var columns = Add(".columns", Floats(cp.Columns), rank, 1, 1, sizes[3]);
        var up = Add(".up", Transposed(cp.Outputs, rank), layer.Rows, rank, 1, 1);
        foreach (var (node, _) in layer.Readers)
        {
            var weight = node.Input(1);
            var hidden = node.Graph.Add("Conv", [node.Input(0), down], layer.Name + "_down", before: node);
            hidden = node.Graph.Add("Conv", [hidden, rows], layer.Name + "_rows", Along(node, 0, sizes[2], rank), before: node);
            hidden = node.Graph.Add("Conv", [hidden, columns], layer.Name + "_columns", Along(node, 1, sizes[3], rank), before: node);
            node.SetInput(0, hidden);
            node.SetInput(1, up);
            FactorEdit.MakePointwise(node, [1, 1]);
            ConstantSource.RemoveIfUnused(weight);
        }
    }

    // What the convolution does along one dimension.
    private static NodeAttribute[] Along(Node node, int dimension, long size, int rank)
    {
        ImmutableArray<long> Only(ImmutableArray<long> both, long otherwise) =>
            dimension == 0 ? [both.IsDefault ? otherwise : both[0], otherwise] : [otherwise, both.IsDefault ? otherwise : both[1]];
        var pads = node.Ints("pads");
        long Pad(int index) => pads.IsDefault ? 0 : pads[index];
        long[] padding = dimension == 0 ? [Pad(0), 0, Pad(2), 0] : [0, Pad(1), 0, Pad(3)];
        var attributes = new List<NodeAttribute>
        {
            NodeAttribute.Ints("kernel_shape", dimension == 0 ? [size, 1] : [1, size]),
            NodeAttribute.Ints("strides", Only(node.Ints("strides"), 1).AsSpan()),
            NodeAttribute.Ints("dilations", Only(node.Ints("dilations"), 1).AsSpan()),
            NodeAttribute.Int("group", rank),
        };
        attributes.Add(node.Attribute("auto_pad") is { } auto && node.String("auto_pad", "NOTSET") != "NOTSET" ? auto : NodeAttribute.Ints("pads", padding));
        return [.. attributes];
    }

    private static float[] Floats(double[] values) => Array.ConvertAll(values, v => (float)v);

    private static float[] Transposed(double[] values, int rank)
    {
        var size = values.Length / rank;
        var turned = new float[values.Length];
        for (var r = 0; r < rank; r++)
        {
            for (var i = 0; i < size; i++)
            {
                turned[i * rank + r] = (float)values[r * size + i];
            }
        }

        return turned;
    }
}
