using Build.ML.Calibration.Layers;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;

namespace Build.ML.Quantization.Blocks;

/// <summary>The third operand of Gemm, β·C.</summary>
internal static class GemmAddend
{
    /// <summary>β·C, as a vector where it is a constant that holds one number for each of <paramref name="outputs"/>; or null where there is none.</summary>
    public static Value? VectorOf(Node gemm, int outputs)
    {
        var addend = Of(gemm);
        return addend is { Constant: { Rank: > 1 } tensor } && tensor.Count == outputs && tensor.Sizes[^1] == outputs
            ? addend.Graph.AddInitializer(addend.Name + "_vector", tensor.Reshape(outputs))
            : addend;
    }

    /// <summary>β·C as one value, or null where there is none.</summary>
    private static Value? Of(Node gemm)
    {
        var beta = gemm.Float("beta", 1);
        if (gemm.Input(2) is not { } addend || beta == 0)
        {
            return null;
        }

        if (beta == 1)
        {
            return addend;
        }

        var tensor = addend.Constant!;
        var numbers = new float[tensor.Count];
        using (var view = tensor.Read<byte>())
        {
            FloatElements.Read(tensor.Type, view.Span, numbers);
        }

        for (var i = 0; i < numbers.Length; i++)
        {
            numbers[i] *= beta;
        }

        var bytes = new byte[tensor.ByteLength];
        FloatElements.Write(tensor.Type, numbers, bytes);
        return addend.Graph.AddInitializer(addend.Name + "_scaled", Tensor.OfBytes(tensor.Type, bytes, tensor.Sizes.AsSpan()));
    }
}
