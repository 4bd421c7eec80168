using Build.ML.Abstractions.Inference;
using Build.ML.Graph;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;

namespace Build.ML.Quantization.Static;

/// <summary>
/// Finds out whether this machine's integer kernels add u8·s8 products exactly. On x64 with AVX2 but without VNNI they add two products in 16 bits and cut off what exceeds
/// 32,767 (instruction VPMADDUBSW): 255·127 + 255·127 does.
/// </summary>
internal static class SaturationProbe
{
    private const int Depth = 256;

    // Wide enough for the kernels that large products take.
    private const int Width = 32;

    /// <summary>255·127 added 256 times.</summary>
    public const int Exact = 255 * 127 * Depth;

    /// <summary>A sentence for a report, to which what avoids saturation is to be added.</summary>
    public static string Tell(IInference inference)
    {
        var sum = Measure(inference);
        return (sum == Exact ? "On the machine that ran this step, sums of u8·s8 products are exact"
            : $"On the machine that ran this step, sums of u8·s8 products saturate ({sum} instead of {Exact})")
            + "; on x64 processors with AVX2 but without VNNI they saturate:";
    }

    /// <summary>What the runtime makes of it here: <see cref="Exact"/>, or less where sums saturate.</summary>
    public static int Measure(IInference inference)
    {
        using var model = new Model(new OnnxGraph("saturation"), 13) { IrVersion = 7 };
        var graph = model.Graph;
        var left = graph.AddInput("left", new TensorType(DataType.UInt8, new Shape(1, Depth)));
        var weights = new sbyte[Depth * Width];
        Array.Fill(weights, sbyte.MaxValue);
        var product = graph.Add("MatMulInteger", [left, graph.AddInitializer("right", Tensor.Of(weights, Depth, Width))], "product");
        product.Type = new TensorType(DataType.Int32, new Shape(1, Width));
        graph.AddOutput(product);
        var values = new byte[Depth];
        Array.Fill(values, byte.MaxValue);
        using var session = inference.Open(model);
        return session.Run([new("left", Tensor.Of(values, 1, Depth))])[0].ToArray<int>()[0];
    }
}
