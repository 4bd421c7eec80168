using Build.ML.Graph;
using Build.ML.Graph.Ir;

namespace Build.ML.Architectures.Depthwise;

/// <summary>A convolution that can be replaced: weight [outputs, inputs, …kernel].</summary>
/// <param name="Weight">The weight.</param>
/// <param name="Outputs">Channels of the output.</param>
/// <param name="Inputs">Channels of the input.</param>
/// <param name="Kernel">Elements of the kernel.</param>
/// <param name="Dimensions">Number of dimensions of the kernel: 2 for images.</param>
readonly record struct SeparableLayer(Value Weight, int Outputs, int Inputs, int Kernel, int Dimensions)
{
    /// <summary>Sizes of the kernel.</summary>
    internal long[] KernelSizes => [.. Weight.Constant!.Sizes.AsSpan()[2..]];

    /// <summary>Why a convolution is left as it is; null: it can be replaced.</summary>
    internal static string? ReasonToLeave(Node node)
    {
        if (node.Input(1)?.Constant is not { } weight)
        {
            return "its weight is no constant";
        }

        var kernel = weight.Sizes.AsSpan()[2..].ToArray().Aggregate(1L, (a, b) => a * b);
        return weight.Type != DataType.Float ? $"its weight is {weight.Type.OnnxName()}, expected float"
            : node.Int("group", 1) != 1 ? "its channels are in groups"
            : kernel == 1 ? "its kernel has one element"
            : null;
    }

    /// <summary>The layer of a node that can be replaced.</summary>
    internal static SeparableLayer Of(Node node)
    {
        var weight = node.Input(1)!;
        var sizes = weight.Constant!.Sizes;
        var kernel = 1L;
        foreach (var size in sizes.AsSpan()[2..])
        {
            kernel *= size;
        }

        return new(weight, (int)sizes[0], (int)sizes[1], (int)kernel, sizes.Length - 2);
    }

    /// <summary>Weights of the layer.</summary>
    internal long Count => (long)Outputs * Inputs * Kernel;

    /// <summary>Weights of the two convolutions in its place.</summary>
    internal long SeparableCount(int multiplier) => (long)Inputs * multiplier * (Kernel + Outputs);
}
