using Build.ML.Calibration.Layers;
using Build.ML.Graph;
using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;
using Build.ML.Quantization.Blocks;
using Build.ML.Quantization.WeightOnly;

namespace Build.ML.Quantization.Tests;

public sealed class WeightQuantizationTests
{
    [Theory]
    [InlineData(8, 40)]
    [InlineData(4, 17)]
    [InlineData(3, 11)]
    [InlineData(2, 4)]
    public void Outputs_stay_near_those_of_the_float_model(int bits, double least)
    {
        using var model = Models.Perceptron();
        var input = Numbers.Tensor(70, 1, 16, 48);
        var expected = Step.Run(model, input);
        var result = new WeightQuantization().Apply(model, new() { Bits = bits, AccuracyLevel = 0 }, Step.Context());

        // Each bit is worth 6 dB; blocks of 32 normal numbers reach about 21 dB with 4 bits, and two layers lose 3 dB.
        Assert.InRange(Step.Sqnr(expected, Step.Run(result.Model, input)), least, 80);
        Assert.Equal(["quantized", "quantized"], result.Layers.Select(l => l.Outcome));
        Assert.Equal(["MatMulNBits", "MatMulNBits"], model.AllNodes.Where(n => n.Domain == "com.microsoft").Select(n => n.OpType));
    }

    [Fact]
    public void The_reported_error_is_that_of_the_stored_codes()
    {
        using var model = Models.Perceptron();
        var layer = WeightLayers.Find(model, new(model, [], [], []), "Gemm").Layers.Single();
        var (matrix, _) = new BlockRounding(new RoundToNearest(), 2).Quantize(layer, layer.Adapt(new(4, 32, true)), default);
        var weights = new float[24 * 64];
        layer.Read(0, 24, weights);
        var restored = new float[24 * 64];
        for (var row = 0; row < 24; row++)
        {
            matrix.Dequantize(row, restored.AsSpan(row * 64, 64));
        }

        var result = new WeightQuantization().Apply(model, new(), Step.Context());
        var reported = result.Layers.Single(l => l.OpType == "Gemm").Figures.Single(f => f.Key == "weight_sqnr_db").Value;
        Assert.Equal(Step.Sqnr(weights, restored), reported, 0.01); // sums of 1,536 numbers, some in single precision
    }

    [Theory]
    [InlineData(4, 32, true, DataType.Float)]
    [InlineData(4, 32, false, DataType.Float)]
    [InlineData(3, 64, false, DataType.Float)]
    [InlineData(2, 0, true, DataType.Float)]
    [InlineData(8, 128, false, DataType.Float16)]
    [InlineData(4, 16, true, DataType.Float16)]
    public void Codes_do_not_depend_on_how_the_matrix_lies_in_the_file(int bits, int blockSize, bool symmetric, DataType type)
    {
        // 520 rows: a tile of 512 and one of 8; 160 columns: whole tiles and one narrower; 163 columns do not fill words.
        foreach (var (rows, columns) in new[] { (520, 160), (523, 160), (40, 163), (8, 256) })
        {
            var numbers = Numbers.Normal(rows, rows * columns, 0.1);
            numbers[5] = 0;
            numbers.AsSpan(columns, 64).Clear(); // blocks of nothing but zeros
            var turned = new float[numbers.Length];
            Transposition.Turn(numbers, rows, columns, columns, turned, rows);
            var (straight, error) = Rounded(numbers, [rows, columns]);
            var (other, otherError) = Rounded(turned, [columns, rows]);
            Assert.Equal(straight.Scales, other.Scales);
            Assert.Equal(straight.ZeroPoints, other.ZeroPoints);
            Assert.Equal(straight.Codes, other.Codes);
            Assert.Equal(error.Signal, otherError.Signal, error.Signal * 1e-6); // sums of up to 2,048 numbers in single precision, in another order
            Assert.Equal(error.Noise, otherError.Noise, error.Noise * 1e-5);
        }

        (BlockQuantizedMatrix Matrix, WeightError Error) Rounded(float[] numbers, long[] sizes)
        {
            var bytes = new byte[type.ByteLength(numbers.Length)];
            FloatElements.Write(type, numbers, bytes);
            using var model = new Model(new OnnxGraph("layout"), 17);
            var weight = model.Graph.AddInitializer("w", Tensor.OfBytes(type, bytes, sizes));
            var isTransposed = sizes[0] == 160 || sizes[0] == 163 || sizes[0] == 256;
            var layer = new WeightLayer([new(model.Graph.Add("MatMul", [model.Graph.AddInput("x", new TensorType(type, Shape.Of(1, 1))), weight], "y").Producer!, 1)], weight, isTransposed, type);
            return new BlockRounding(new RoundToNearest(), 2).Quantize(layer, layer.Adapt(new(bits, blockSize, symmetric)), default);
        }
    }

    [Fact]
    public void A_model_of_halves_stays_one_and_runs()
    {
        using var model = Models.Perceptron();
        new Float16.HalfConversion().Apply(model, new(), Step.Context());
        var input = Numbers.Tensor(71, 1, 16, 48);
        var expected = Step.Run(model, input);
        new WeightQuantization().Apply(model, new() { Symmetric = false, AccuracyLevel = 0 }, Step.Context());
        Assert.InRange(Step.Sqnr(expected, Step.Run(model, input)), 17, 80);
        Assert.All(model.AllNodes.Where(n => n.OpType == "MatMulNBits"), n => Assert.Equal(DataType.Float16, n.Inputs[2]!.ElementType));
    }

    [Theory]
    [InlineData(DataType.Float16)]
    [InlineData(DataType.BFloat16)]
    public void A_weight_behind_cast_and_transpose_is_found_and_nothing_of_it_remains(DataType stored)
    {
        using var model = new Model(new OnnxGraph("behind"), 21) { IrVersion = 10 };
        var graph = model.Graph;
        var x = graph.AddInput("x", new TensorType(DataType.Float, new Shape(new Dimension("n"), 64)));
        var bytes = new byte[40 * 64 * 2];
        FloatElements.Write(stored, Numbers.Normal(3, 40 * 64, 0.1), bytes);
        var weight = graph.AddInitializer("w", Tensor.OfBytes(stored, bytes, 40, 64));
        var cast = graph.Add("Cast", [weight], "cast", [NodeAttribute.Int("to", (long)DataType.Float)]);
        var turned = graph.Add("Transpose", [cast], "turned", [NodeAttribute.Ints("perm", 1, 0)]);
        var y = graph.Add("MatMul", [x, turned], "y");
        y.Type = new TensorType(DataType.Float, new Shape(new Dimension("n"), 40));
        graph.AddOutput(y);
        var input = Numbers.Tensor(72, 1, 3, 64);
        var expected = Step.Run(model, input);
        var result = new WeightQuantization().Apply(model, new() { Bits = 8, AccuracyLevel = 0 }, Step.Context());
        Assert.Equal("quantized", Assert.Single(result.Layers).Outcome);
        Assert.InRange(Step.Sqnr(expected, Step.Run(model, input)), 40, 80);
        Assert.Equal(["MatMulNBits"], model.AllNodes.Select(n => n.OpType));
        Assert.DoesNotContain(graph.Initializers, i => i.Name == "w");
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_table_tied_with_the_head_is_stored_once(bool isHalf)
    {
        using var model = Tied();
        var input = Tensor.Of<long>([3, 0, 39, 7, 3], 5);
        var expected = Step.Run(model, input);
        if (isHalf)
        {
            new Float16.HalfConversion().Apply(model, new(), Step.Context());
        }

        var result = new WeightQuantization().Apply(model, new() { Bits = 8, AccuracyLevel = 0 }, Step.Context());
        Assert.InRange(Step.Sqnr(expected, Step.Run(model, input)), 38, 80);
        Assert.Single(result.Layers);
        Assert.Single(model.Graph.Initializers, i => i.Initializer!.ByteLength >= 40 * 64);
        Assert.Contains(model.AllNodes, n => n.OpType == "GatherBlockQuantized");
        Assert.Contains(model.AllNodes, n => n.OpType == "MatMulNBits");
    }

    [Fact]
    public void A_look_up_that_stays_float_keeps_its_table_and_the_report_says_so()
    {
        using var model = Tied();
        var result = new WeightQuantization().Apply(model, new() { Embeddings = false }, Step.Context());
        Assert.Contains("stored twice", Assert.Single(result.Layers).Reason, StringComparison.Ordinal);
        Assert.Contains(model.AllNodes, n => n.Is("Gather"));
    }

    [Fact]
    public void A_weight_read_by_two_nodes_is_quantized_once()
    {
        using var model = new Model(new OnnxGraph("shared"), 21) { IrVersion = 10 };
        var graph = model.Graph;
        var x = graph.AddInput("x", new TensorType(DataType.Float, new Shape(new Dimension("n"), 64)));
        var w = graph.AddInitializer("w", Numbers.Tensor(1, 0.1, 64, 64));
        var y = graph.Add("MatMul", [graph.Add("MatMul", [x, w], "h"), w], "y");
        y.Type = new TensorType(DataType.Float, new Shape(new Dimension("n"), 64));
        graph.AddOutput(y);
        var input = Numbers.Tensor(74, 1, 3, 64);
        var expected = Step.Run(model, input);
        var result = new WeightQuantization().Apply(model, new() { Bits = 8, AccuracyLevel = 0 }, Step.Context());
        Assert.Single(result.Layers);
        Assert.Equal(2, graph.Initializers.Count); // codes and scales
        Assert.InRange(Step.Sqnr(expected, Step.Run(model, input)), 37, 80);
    }

    [Fact]
    public void Nodes_of_subgraphs_are_quantized_with_weights_of_the_graph_around()
    {
        using var model = new Model(new OnnxGraph("branches"), 21) { IrVersion = 10 };
        var graph = model.Graph;
        var x = graph.AddInput("x", new TensorType(DataType.Float, new Shape(new Dimension("n"), 64)));
        var w = graph.AddInitializer("w", Numbers.Tensor(1, 0.1, 64, 32));
        var condition = graph.Add(
            "Greater",
            [graph.Add("ReduceSum", [x], "sum", [NodeAttribute.Int("keepdims", 0)]), graph.AddInitializer("zero", Tensor.Scalar(0f))], "condition");
        var then = new OnnxGraph("then");
        var otherwise = new OnnxGraph("otherwise");
        var node = graph.CreateNode("If");
        node.SetInputs(condition);
        node.SetAttribute(NodeAttribute.Graph("then_branch", then));
        node.SetAttribute(NodeAttribute.Graph("else_branch", otherwise));
        graph.InsertBefore(null, node);
        then.AddOutput(Typed(then.Add("MatMul", [x, w], "a")));
        otherwise.AddOutput(Typed(otherwise.Add("MatMul", [x, otherwise.AddInitializer("v", Numbers.Tensor(2, 0.1, 64, 32))], "b")));
        graph.AddOutput(Typed(node.AddOutput("y")));
        var inputs = new[] { Numbers.Tensor(75, 1, 3, 64), Tensor.Of(Numbers.Normal(75, 3 * 64, 1).Select(v => -v).ToArray(), 3, 64) };
        var expected = inputs.Select(i => Step.Run(model, i)).ToArray();
        var result = new WeightQuantization().Apply(model, new() { Bits = 8, AccuracyLevel = 0 }, Step.Context());
        Assert.Equal(2, result.Layers.Count(l => l.Outcome == "quantized"));
        Assert.DoesNotContain(model.AllNodes, n => n.OpType == "MatMul");
        for (var i = 0; i < inputs.Length; i++)
        {
            Assert.InRange(Step.Sqnr(expected[i], Step.Run(model, inputs[i])), 40, 80);
        }

        static Value Typed(Value value)
        {
            value.Type = new TensorType(DataType.Float, new Shape(new Dimension("n"), 32));
            return value;
        }
    }

    [Theory]
    [InlineData(8, 0, 1, WeightForm.MatmulNbits, true)]
    [InlineData(4, 0, 1, WeightForm.MatmulNbits, true)]
    [InlineData(4, 16, 1, WeightForm.MatmulNbits, false)]
    [InlineData(3, 64, 1, WeightForm.MatmulNbits, true)]
    [InlineData(4, 16, 4, WeightForm.MatmulNbits, true)]
    [InlineData(8, 0, 1, WeightForm.DequantizeLinear, false)]
    [InlineData(4, 32, 1, WeightForm.DequantizeLinear, true)]
    public void Convolutions_compute_with_restored_filters(int bits, int blockSize, int groups, WeightForm form, bool symmetric)
    {
        using var model = new Model(new OnnxGraph("conv"), 21) { IrVersion = 10 };
        var graph = model.Graph;
        var x = graph.AddInput("x", new TensorType(DataType.Float, new Shape(new Dimension("n"), 16, 12, 12)));
        var y = graph.Add("Conv", [x, graph.AddInitializer("w", Numbers.Tensor(1, 0.1, 32, 16 / groups, 3, 3))], "y", [NodeAttribute.Int("group", groups)]);
        y.Type = new TensorType(DataType.Float);
        graph.AddOutput(y);
        var input = Numbers.Tensor(76, 1, 2, 16, 12, 12);
        var expected = Step.Run(model, input);
        var result = new WeightQuantization().Apply(model, new() { Bits = bits, BlockSize = blockSize, Form = form, Symmetric = symmetric }, Step.Context());
        var sqnr = Assert.Single(result.Layers).Figures.Single(f => f.Key == "weight_sqnr_db").Value;

        // White inputs: the noise of the outputs is that of the weights, here over 6,400 outputs: within 1 dB.
        Assert.Equal(sqnr, Step.Sqnr(expected, Step.Run(model, input)), 1.0);
        var kernels = new Build.ML.OnnxRuntime.OnnxRuntimeInference().Profile(model, [[new("", input)]]).Nodes.Select(n => n.OpType);
        Assert.Equal(form == WeightForm.DequantizeLinear || 144 / groups % Math.Max(blockSize, 1) != 0, kernels.Contains("DequantizeLinear"));
    }

    [Fact]
    public void Bytes_do_not_depend_on_threads()
    {
        byte[]? expected = null;
        foreach (var threads in new[] { 1, 2, 3 })
        {
            using var model = Models.Perceptron();
            new WeightQuantization().Apply(model, new() { Clip = WeightClip.Mse }, Step.Context(threads: threads));
            expected ??= model.ToBytes();
            Assert.Equal(expected, model.ToBytes());
        }
    }

    [Fact]
    public void What_cannot_be_quantized_is_left_with_a_reason()
    {
        using var model = new Model(new OnnxGraph("odd"), 21) { IrVersion = 10 };
        var graph = model.Graph;
        var x = graph.AddInput("x", new TensorType(DataType.Float, new Shape(new Dimension("n"), 4, 64)));
        var y = graph.Add("MatMul", [x, graph.AddInitializer("batch", Numbers.Tensor(1, 0.1, 4, 64, 8))], "batched");
        y = graph.Add("MatMul", [y, graph.AddInitializer("w", Numbers.Tensor(2, 0.1, 8, 64))], "plain");
        y = graph.Add("MatMul", [y, graph.AddInitializer("v", Numbers.Tensor(3, 0.1, 64, 64))], "excluded");
        y.Type = new TensorType(DataType.Float);
        graph.AddOutput(y);
        var result = new WeightQuantization().Apply(model, new() { Exclude = ["excluded"] }, Step.Context());
        Assert.Equal(
            ["plain: quantized ", "batched: left the weight has 3 dimensions, the block forms take 2", "excluded: left excluded by 'excluded'"],
            result.Layers.Select(l => $"{l.Layer}: {l.Outcome} {l.Reason}"));
    }

    [Fact]
    public void A_step_without_effect_is_an_error_that_says_why()
    {
        using var model = Models.Perceptron(opset: 17);
        var error = Assert.Throws<DiagnosticException>(
            () => new WeightQuantization().Apply(model, new() { Form = WeightForm.DequantizeLinear }, Step.Context()));
        Assert.Equal("BML5406", error.Diagnostics[0].Code);
        Assert.Contains("all 2 were left", error.Message, StringComparison.Ordinal);
        Assert.Contains("operator set 21, the model uses 17", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Nothing_is_left_in_the_scratch_folder()
    {
        var folder = Directory.CreateTempSubdirectory();
        using var model = new Model(new OnnxGraph("large"), 21) { IrVersion = 10 };
        var x = model.Graph.AddInput("x", new TensorType(DataType.Float, new Shape(new Dimension("n"), 512)));
        var y = model.Graph.Add("MatMul", [x, model.Graph.AddInitializer("w", Numbers.Tensor(1, 0.1, 512, 512))], "y"); // 128 KB of codes: more than stays in memory
        y.Type = new TensorType(DataType.Float, new Shape(new Dimension("n"), 512));
        model.Graph.AddOutput(y);
        var input = Numbers.Tensor(77, 1, 2, 512);
        var expected = Step.Run(model, input);
        new WeightQuantization().Apply(model, new() { Bits = 8, AccuracyLevel = 0 }, Step.Context() with { ScratchDirectory = folder.FullName });
        if (!OperatingSystem.IsWindows())
        {
            Assert.Empty(folder.GetFileSystemInfos());
            folder.Delete(recursive: true); // what waits in the file stays readable
        }

        Assert.InRange(Step.Sqnr(expected, Step.Run(model, input)), 40, 80);
    }

    [Fact]
    public void A_weight_that_is_not_finite_is_an_error_that_names_it()
    {
        using var model = Models.Perceptron();
        var values = Numbers.Normal(1, 48 * 64, 1);
        values[77] = float.NaN;
        model.Graph.SetInitializer(model.Graph.Find("w1")!, Tensor.Of(values, 48, 64));
        var error = Assert.Throws<DiagnosticException>(() => new WeightQuantization().Apply(model, new(), Step.Context()));
        Assert.Equal("BML5403", error.Diagnostics[0].Code);
        Assert.Contains("w1", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Options_that_contradict_each_other_are_refused()
    {
        Assert.NotEmpty(new WeightQuantization.Options { Method = WeightMethod.Hqq }.Validate(new(this)));
        Assert.Empty(new WeightQuantization.Options { Method = WeightMethod.Hqq, Symmetric = false }.Validate(new(this)));
        Assert.NotEmpty(new WeightQuantization.Options { Method = WeightMethod.Hqq, Symmetric = false, Clip = WeightClip.Mse }.Validate(new(this)));
    }

    private static Model Tied()
    {
        var model = new Model(new OnnxGraph("tied"), 21) { IrVersion = 10 };
        var graph = model.Graph;
        var tokens = graph.AddInput("x", new TensorType(DataType.Int64, new Shape(new Dimension("n"))));
        var table = graph.AddInitializer("table", Numbers.Tensor(1, 0.1, 40, 64));
        var rows = graph.Add("Gather", [table, tokens], "rows");
        var y = graph.Add("MatMul", [rows, graph.Add("Transpose", [table], "turned", [NodeAttribute.Ints("perm", 1, 0)])], "y");
        y.Type = new TensorType(DataType.Float, new Shape(new Dimension("n"), 40));
        graph.AddOutput(y);
        return model;
    }
}
