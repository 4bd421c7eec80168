using Build.ML.Abstractions.Selection;
using Build.ML.Calibration.Layers;
using Build.ML.Graph;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;
using Build.ML.Quantization.Blocks;

namespace Build.ML.Quantization.Tests;

public sealed class BlockWriterTests
{
    private sealed record Options : UniformBitsOptions;

    // 96 inputs fill blocks of 16 and 32, leave a remainder in 64, and are less than one of 128.
    public static TheoryData<int, int, bool, WeightForm> Cases()
    {
        var cases = new TheoryData<int, int, bool, WeightForm>();
        foreach (var bits in new[] { 2, 3, 4, 8 })
        {
            foreach (var block in new[] { 16, 32, 64, 128, 256, 0 })
            {
                foreach (var symmetric in new[] { true, false })
                {
                    cases.Add(bits, block, symmetric, WeightForm.MatmulNbits);
                    cases.Add(bits, block, symmetric, WeightForm.DequantizeLinear);
                }
            }
        }

        return cases;
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Quantized_layers_compute_what_their_dequantized_weights_would(int bits, int blockSize, bool symmetric, WeightForm form)
    {
        foreach (var kind in new[] { "MatMul", "Gemm", "GemmTransposed", "Gather" })
        {
            using var quantized = OneLayer(kind);
            using var restored = OneLayer(kind);
            var options = new Options { Bits = bits, BlockSize = blockSize, Symmetric = symmetric, Form = form, AccuracyLevel = 0 };
            var layer = Assert.Single(Layers(quantized));
            var writer = new BlockWriter(quantized, options, Step.Context());
            var format = layer.Adapt(options.Format);
            if (form == WeightForm.DequantizeLinear && kind == "Gather" && bits < 8)
            {
                Assert.Contains("no integers of less than 8 bits", writer.Obstacle(layer, format), StringComparison.Ordinal);
                continue;
            }

            Assert.Null(writer.Obstacle(layer, format));
            var matrix = Rounded(layer, format);
            var other = Assert.Single(Layers(restored));
            other.Weight.Graph.SetInitializer(other.Weight, other.Restore(matrix));
            writer.Write(layer, matrix);

            Assert.DoesNotContain(quantized.Graph.Initializers, i => i.Initializer!.Type == DataType.Float && i.Initializer.Count == 96 * 40);
            var input = kind == "Gather" ? Tensor.Of<long>([3, 0, 39, 7, 3], 5) : Numbers.Tensor(5, 1, 5, 96);

            // Same numbers, summed in another order: 120 dB is 1e-6 relative. Optimized, the runtime makes MatMulNBits with 8-bit activations of DequantizeLinear and MatMul.
            var isOptimized = form == WeightForm.MatmulNbits;
            Assert.InRange(Step.Sqnr(Run(restored, input, isOptimized), Run(quantized, input, isOptimized)), 110, double.PositiveInfinity);
        }
    }

    [Theory]
    [InlineData("MatMul", 4)]
    [InlineData("Gemm", 4)]
    [InlineData("GemmTransposed", 8)]
    [InlineData("MatMul", 2)]
    public void The_runtime_makes_its_own_product_of_dequantize_linear(string kind, int bits)
    {
        using var model = OneLayer(kind);
        new WeightOnly.WeightQuantization().Apply(model, new() { Bits = bits, Form = WeightForm.DequantizeLinear }, Step.Context());
        Assert.DoesNotContain(model.AllNodes, n => n.Domain.Length > 0);
        var kernels = new Build.ML.OnnxRuntime.OnnxRuntimeInference().Profile(model, [[new("", Numbers.Tensor(5, 1, 5, 96))]]).Nodes.Select(n => n.OpType).ToArray();
        Assert.Contains("MatMulNBits", kernels);
        Assert.DoesNotContain("DequantizeLinear", kernels);
    }

    private static float[] Run(Model model, Tensor input, bool isOptimized)
    {
        using var session = new Build.ML.OnnxRuntime.OnnxRuntimeInference().Open(model, new() { Optimize = isOptimized });
        return session.Run([new("", input)])[0].ToArray<float>();
    }

    private static BlockQuantizedMatrix Rounded(WeightLayer layer, BlockFormat format)
    {
        var matrix = new BlockQuantizedMatrix(layer.Rows, layer.Columns, format);
        var row = new float[layer.Columns];
        for (var i = 0; i < layer.Rows; i++)
        {
            layer.Read(i, 1, row);
            BlockKernels.RoundRow(format, row, matrix.CodesOf(i), matrix.ScalesOf(i), matrix.ZeroPointsOf(i));
        }

        return matrix;
    }

    private static WeightLayer[] Layers(Model model) => [.. WeightLayers.Find(model, new LayerSelection(model, [], [], []), "MatMul", "Gemm", "Gather", "Conv").Layers];

    private static Model OneLayer(string kind)
    {
        var model = new Model(new OnnxGraph("layer"), 25) { IrVersion = 12 };
        var graph = model.Graph;
        Value y;
        if (kind == "Gather")
        {
            var tokens = graph.AddInput("x", new TensorType(DataType.Int64, new Shape(new Dimension("n"))));
            y = graph.Add("Gather", [graph.AddInitializer("w", Numbers.Tensor(1, 0.1, 40, 96)), tokens], "y");
        }
        else
        {
            var x = graph.AddInput("x", new TensorType(DataType.Float, new Shape(new Dimension("n"), 96)));
            y = kind switch
            {
                "MatMul" => graph.Add("MatMul", [x, graph.AddInitializer("w", Numbers.Tensor(1, 0.1, 96, 40))], "y"),
                "Gemm" => graph.Add(
                    "Gemm", [x, graph.AddInitializer("w", Numbers.Tensor(1, 0.1, 96, 40)), graph.AddInitializer("b", Numbers.Tensor(2, 0.1, 1, 40))], "y",
                    [NodeAttribute.Float("alpha", 0.5f), NodeAttribute.Float("beta", 2)]),
                _ => graph.Add(
                    "Gemm", [x, graph.AddInitializer("w", Numbers.Tensor(1, 0.1, 40, 96)), graph.AddInitializer("b", Numbers.Tensor(2, 0.1, 1))], "y",
                    [NodeAttribute.Int("transB", 1)]),
            };
        }

        y.Type = new TensorType(DataType.Float, new Shape(new Dimension("n"), kind == "Gather" ? 96 : 40));
        graph.AddOutput(y);
        return model;
    }
}
