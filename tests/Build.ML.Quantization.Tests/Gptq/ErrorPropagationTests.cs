using Build.ML.Calibration.Hessians;
using Build.ML.Calibration.Layers;
using Build.ML.Calibration.LinearAlgebra;
using Build.ML.Graph;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;
using Build.ML.Quantization.Blocks;
using Build.ML.Quantization.Gptq;

namespace Build.ML.Quantization.Tests.Gptq;

public sealed class ErrorPropagationTests
{
    // Columns: less than a panel of the factor, and more than one.
    [Theory]
    [InlineData(7, 30, 1, 0.01)]
    [InlineData(40, 200, 0.5, 0.01)]
    [InlineData(300, 1500, 1, 0)]
    public void The_corrected_weight_is_that_of_the_papers_equation_in_double_precision(int columns, int inputs, double strength, double dampening)
    {
        const int Rows = 5;
        var (exact, actual) = Inputs(columns, inputs);
        var weights = Numbers.Normal(3, Rows * columns, 0.3);
        var corrected = Correct(Layer(weights, Rows, columns), exact, actual, columns, strength, dampening);

        // W + α·W·(X − X̂)·X̂ᵀ·(X̂·X̂ᵀ + λI)⁻¹, as arXiv 2504.09629 has it; columns of X are inputs.
        var (hessian, drift) = (new double[columns, columns], new double[columns, columns]);
        for (var n = 0; n < inputs; n++)
        {
            for (var i = 0; i < columns; i++)
            {
                for (var j = 0; j < columns; j++)
                {
                    hessian[i, j] += (double)actual[n * columns + i] * actual[n * columns + j];
                    drift[i, j] += ((double)exact[n * columns + i] - actual[n * columns + i]) * actual[n * columns + j];
                }
            }
        }

        var mean = Enumerable.Range(0, columns).Average(i => hessian[i, i]);
        for (var i = 0; i < columns; i++)
        {
            hessian[i, i] += dampening * mean;
        }

        var inverse = GptqReference.Inverse(hessian);
        for (var row = 0; row < Rows; row++)
        {
            var moved = Times(Times(Array.ConvertAll(weights.AsSpan(row * columns, columns).ToArray(), w => (double)w), drift), inverse);
            var largest = moved.Max(Math.Abs);
            for (var j = 0; j < columns; j++)
            {
                // Sums in single precision times the condition number of the inputs, some 100.
                Assert.Equal(weights[row * columns + j] + strength * moved[j], corrected[row * columns + j], 2e-4 * largest + 1e-6);
            }
        }
    }

    [Fact]
    public void Without_dampening_the_corrected_weight_gives_the_exact_outputs_as_nearly_as_any()
    {
        const int Columns = 24, Samples = 400;
        var (exact, actual) = Inputs(Columns, Samples);
        var weights = Numbers.Normal(4, Columns, 0.3);
        var corrected = Correct(Layer(weights, 1, Columns), exact, actual, Columns, 1, 0);
        var least = Error(corrected); // what the shrinking did is undone, a quarter of it all here; noise stays
        Assert.True(least < 0.9 * Error(weights), $"{least} {Error(weights)}");
        for (var j = 0; j < Columns; j++)
        {
            foreach (var step in new[] { -0.01f, 0.01f })
            {
                var other = corrected.ToArray();
                other[j] += step;
                Assert.True(Error(other) > least);
            }
        }

        double Error(ReadOnlySpan<float> w)
        {
            double error = 0;
            for (var n = 0; n < Samples; n++)
            {
                double wanted = 0, given = 0;
                for (var j = 0; j < Columns; j++)
                {
                    wanted += (double)weights[j] * exact[n * Columns + j];
                    given += (double)w[j] * actual[n * Columns + j];
                }

                error += Math.Pow(wanted - given, 2);
            }

            return error;
        }
    }

    [Fact]
    public void Inputs_that_are_exact_leave_nothing_to_correct()
    {
        var (exact, _) = Inputs(16, 100);
        using var hessians = Collected(exact, exact, 16);
        using var factor = HessianFactor.Of(hessians.Matrices[0], 0.01, true, 2);
        Assert.Null(ErrorPropagation.Of(hessians, [factor], 1, Step.Context()));
    }

    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    public void Outputs_of_a_deep_model_are_nearer_with_error_propagation(int bits)
    {
        var input = Numbers.Tensor(901, 1, 64, 48);
        using var original = Models.HalfChain(6);
        var expected = Step.Run(original, input);
        var sqnr = new Dictionary<double, double>();
        foreach (var strength in new[] { 0, 0.5 })
        {
            using var model = Models.HalfChain(6);
            var options = new GptqQuantization.Options { Data = Step.Data, Bits = bits, AccuracyLevel = 0, ErrorPropagation = strength };
            new GptqQuantization().Apply(model, options, Step.Context(new NormalData(600, 48)));
            sqnr[strength] = Step.Sqnr(expected, Step.Run(model, input));
        }

        Assert.True(sqnr[0.5] > sqnr[0] + 0.2, $"{sqnr[0.5]} {sqnr[0]}"); // dB, on inputs that no calibration saw
    }

    [Theory]
    [InlineData(0.5, false, 1)]
    [InlineData(0.0, false, 0)]
    [InlineData(null, false, 0)]
    [InlineData(0.5, true, 0)]
    public void A_strength_without_sequential_order_is_refused(double? strength, bool sequential, int errors)
    {
        var options = new GptqQuantization.Options { Data = Step.Data, Sequential = sequential, ErrorPropagation = strength };
        Assert.Equal(errors, options.Validate(new(options)).Count());
    }

    [Fact]
    public void Convolutions_are_corrected_group_by_group()
    {
        var images = Numbers.Tensor(902, 1, 16, 3, 16, 16);
        using var original = Models.Residual(21);
        var expected = Step.Run(original, images);
        var sqnr = new Dictionary<double, double>();
        foreach (var strength in new[] { 0, 0.5 })
        {
            using var model = Models.Residual(21);
            var options = new GptqQuantization.Options
            {
                Data = Step.Data,
                Bits = 3,
                BlockSize = 0,
                Form = WeightForm.DequantizeLinear,
                ErrorPropagation = strength,
            };
            new GptqQuantization().Apply(model, options, Step.Context(new NormalData(40, 3, 16, 16)));
            sqnr[strength] = Step.Sqnr(expected, Step.Run(model, images));
        }

        Assert.True(sqnr[0.5] > sqnr[0] + 0.2, $"{sqnr[0.5]} {sqnr[0]}");
    }

    private static float[] Correct(WeightLayer layer, float[] exact, float[] actual, int columns, double strength, double dampening)
    {
        using var hessians = Collected(exact, actual, columns);
        using var factor = HessianFactor.Of(hessians.Matrices[0], dampening, true, 2);
        Assert.Equal(dampening, factor.Dampening);
        using var propagation = ErrorPropagation.Of(hessians, [factor], strength, Step.Context())!;
        var corrected = new float[layer.Rows * columns];
        propagation.Correct(layer, 2).Read(0, layer.Rows, corrected);
        return corrected;
    }

    private static LayerHessians Collected(float[] exact, float[] actual, int columns)
    {
        using var hessian = new HessianAccumulator(columns, 2);
        using var drift = new DriftAccumulator(columns, 2);
        hessian.Add(actual);
        var half = actual.Length / columns / 2 * columns; // in two parts, as batches come
        drift.Add(exact.AsSpan(..half), actual.AsSpan(..half));
        drift.Add(exact.AsSpan(half..), actual.AsSpan(half..));
        return new([hessian.Finish()], hessian.Count, drift.Finish() is { } sum ? [sum] : null);
    }

    private static WeightLayer Layer(float[] weights, int rows, int columns)
    {
        // As MatMul stores it, [columns, rows].
        var turned = new float[weights.Length];
        Transposition.Turn(weights, rows, columns, columns, turned, rows);
        var graph = new OnnxGraph("layer");
        var weight = graph.AddInitializer("w", Tensor.Of(turned, columns, rows));
        var x = graph.AddInput("x", new TensorType(DataType.Float, Shape.Of(1, columns)));
        return new WeightLayer([new(graph.Add("MatMul", [x, weight], "y").Producer!, 1)], weight, true, DataType.Float);
    }

    /// <summary>Correlated inputs, and what a layer before made of them: a fifth of noise, and a tenth of shrinking.</summary>
    private static (float[] Exact, float[] Actual) Inputs(int columns, int count)
    {
        var own = Numbers.Normal(1, (long)count * columns, 1);
        var noise = Numbers.Normal(2, (long)count * columns, 0.2);
        var exact = new float[own.Length];
        var actual = new float[own.Length];
        for (var n = 0; n < count; n++)
        {
            for (var j = 0; j < columns; j++)
            {
                var i = n * columns + j;
                exact[i] = own[i] + 0.7f * own[n * columns + (j + 1) % columns];
                actual[i] = 0.9f * exact[i] + noise[i];
            }
        }

        return (exact, actual);
    }

    private static double[] Times(double[] row, double[,] matrix)
    {
        var result = new double[matrix.GetLength(1)];
        for (var i = 0; i < row.Length; i++)
        {
            for (var j = 0; j < result.Length; j++)
            {
                result[j] += row[i] * matrix[i, j];
            }
        }

        return result;
    }
}
