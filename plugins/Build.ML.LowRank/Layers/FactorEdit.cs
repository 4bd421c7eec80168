using System.Collections.Immutable;
using System.Numerics.Tensors;
using Build.ML.Calibration.Layers;
using Build.ML.Calibration.LinearAlgebra;
using Build.ML.Graph;
using Build.ML.Graph.Ir;
using Tensor = Build.ML.Graph.Tensors.Tensor;

namespace Build.ML.LowRank.Layers;

/// <summary>Puts chains of small layers in the place of a layer; its node stays as the last of them, with its name, its bias and its output.</summary>
internal static class FactorEdit
{
    /// <summary>y = Up·(Down·x) + b for products; for convolutions one with as many filters as the rank, then one of size 1 (Zhang et al. 2015, arXiv 1505.06798, §3.1).</summary>
    /// <param name="layer">The layer; its weight goes away.</param>
    /// <param name="factors">Copied.</param>
    public static void Apply(WeightLayer layer, LayerFactors factors)
    {
        var graph = layer.Weight.Graph;
        var isConv = layer.OpType == "Conv";
        var (rank, ones) = ((long)factors.Rank, Enumerable.Repeat(1L, Math.Max(layer.Tensor.Rank - 2, 0)));
        var down = graph.AddInitializer(
            layer.Weight.Name + ".down",
            isConv ? Of(layer, Rows(factors.Down), [rank, .. layer.Tensor.Sizes[1..]]) : Of(layer, Columns(factors.Down), layer.Columns, rank));
        var up = graph.AddInitializer(
            layer.Weight.Name + ".up", isConv ? Of(layer, Columns(factors.Up), [layer.Rows, rank, .. ones]) : Of(layer, Rows(factors.Up), rank, layer.Rows));
        foreach (var (node, _) in layer.Readers)
        {
            var (name, weight) = (node.Name.Length > 0 ? node.Name : node.Outputs[0].Name, node.Input(1));
            var hidden = isConv
                ? node.Graph.Add("Conv", [node.Input(0), down], name + "_down", [.. node.Attributes], before: node)
                : node.Graph.Add("MatMul", [node.Input(0), down], name + "_down", before: node);
            node.SetInput(0, hidden);
            node.SetInput(1, up);
            node.RemoveAttribute("transB");
            if (isConv)
            {
                MakePointwise(node, [.. ones]);
            }

            ConstantSource.RemoveIfUnused(weight);
        }
    }

    /// <summary>Lets a convolution see one position only.</summary>
    /// <param name="node">The convolution.</param>
    /// <param name="ones">A one for each spatial dimension.</param>
    public static void MakePointwise(Node node, ImmutableArray<long> ones)
    {
        foreach (var name in new[] { "auto_pad", "dilations", "group", "pads", "strides" })
        {
            node.RemoveAttribute(name);
        }

        node.SetAttribute(NodeAttribute.Ints("kernel_shape", ones.AsSpan()));
    }

    /// <summary>A tensor of the type that the layer computes in.</summary>
    public static Tensor Of(WeightLayer layer, float[] elements, params ReadOnlySpan<long> sizes)
    {
        if (layer.ComputeType == DataType.Float)
        {
            return Tensor.Of(elements, sizes);
        }

        var halves = new Half[elements.Length];
        TensorPrimitives.ConvertToHalf(elements, halves);
        return Tensor.Of(halves, sizes);
    }

    /// <summary>The elements row by row.</summary>
    public static float[] Rows(FloatMatrix matrix)
    {
        var elements = new float[checked((int)(matrix.Rows * matrix.Columns))];
        for (var row = 0; row < matrix.Rows; row++)
        {
            matrix.Row(row).CopyTo(elements.AsSpan(row * (int)matrix.Columns));
        }

        return elements;
    }

    /// <summary>The elements column by column.</summary>
    public static float[] Columns(FloatMatrix matrix)
    {
        var elements = new float[checked((int)(matrix.Rows * matrix.Columns))];
        for (var row = 0; row < matrix.Rows; row++)
        {
            var from = matrix.Row(row);
            for (var column = 0; column < from.Length; column++)
            {
                elements[column * (int)matrix.Rows + row] = from[column];
            }
        }

        return elements;
    }
}
