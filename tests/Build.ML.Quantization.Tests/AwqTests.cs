using Build.ML.Abstractions.Data;
using Build.ML.Calibration.LinearAlgebra;
using Build.ML.Graph;
using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;
using Build.ML.Quantization.Awq;
using Build.ML.Quantization.Blocks;
using Build.ML.Quantization.Folding;

namespace Build.ML.Quantization.Tests;

public sealed class AwqTests
{
    private const int Channels = 32;

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void The_error_of_scales_is_that_of_outputs_computed_one_by_one(bool isSymmetric)
    {
        var format = new BlockFormat(4, 16, isSymmetric);
        var (w, x, inputs) = Problem();
        var scales = Array.ConvertAll(Numbers.Normal(5, Channels, 0.5), s => MathF.Exp(s));
        using (inputs)
        {
            var search = new ScaleSearch([(w, format)], Channels, 2);
            Assert.Equal(OutputErrorOf(w, x, scales, format), search.Error(scales, inputs.Hessian), 1e-3 * search.Error(scales, inputs.Hessian));
        }
    }

    [Fact]
    public void The_scales_found_are_the_best_of_the_grid_by_brute_force()
    {
        var format = new BlockFormat(3, 16, true);
        var (w, x, inputs) = Problem();
        using (inputs)
        {
            var (scales, error, without) = new ScaleSearch([(w, format)], Channels, 2).Best(inputs, new ChannelTies(Channels), 10);
            var ones = Enumerable.Repeat(1f, Channels).ToArray();
            Assert.Equal(OutputErrorOf(w, x, ones, format), without, 1e-3 * without);
            var best = OutputErrorOf(w, x, ones, format);
            for (var step = 1; step <= 10; step++)
            {
                foreach (var beta in new[] { 0, step / 10.0, 1 - step / 10.0 })
                {
                    var candidate = new float[Channels];
                    for (var i = 0; i < Channels; i++)
                    {
                        var magnitude = Enumerable.Range(0, w.Length / Channels).Average(r => Math.Abs((double)w[r * Channels + i]));
                        candidate[i] = (float)(Math.Pow(inputs.MeanMagnitude[i], step / 10.0) / Math.Pow(magnitude, beta));
                    }

                    var middle = MathF.Sqrt(candidate.Max() * candidate.Min());
                    best = Math.Min(best, OutputErrorOf(w, x, Array.ConvertAll(candidate, c => c / middle), format));
                }
            }

            Assert.Equal(best, error, 1e-3 * best);
            Assert.True(error < 0.9 * without, $"{error} with scales, {without} without: a channel 30 times the others should gain more.");
            Assert.Equal(scales.Max(), scales[3]);
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void The_ranges_found_are_as_good_as_trying_all_for_one_block(bool isSymmetric)
    {
        // One block a row: coordinate descent is exhaustive there.
        var format = new BlockFormat(3, 16, isSymmetric);
        var (w, x, inputs) = Problem(channels: 16);
        using (inputs)
        {
            var (matrix, _, error) = new ClipSearch(3, 30, 3, 0, 2).Solve(w.Length / 16, 16, (f, n, to) => w.AsSpan(f * 16, n * 16).CopyTo(to), format, inputs.Hessian);
            Assert.Equal(error, ErrorOf(matrix, w, x), 1e-3 * error);
            var all = 0d;
            for (var row = 0; row < w.Length / 16; row++)
            {
                all += BestRow(w.AsSpan(row * 16, 16).ToArray(), x, format);
            }

            Assert.Equal(all, error, 2e-3 * all);
        }
    }

    [Theory]
    [InlineData(4, true)]
    [InlineData(4, false)]
    [InlineData(2, true)]
    public void Searched_ranges_never_raise_the_output_error(int bits, bool isSymmetric)
    {
        var format = new BlockFormat(bits, 16, isSymmetric);
        var (w, x, inputs) = Problem();
        using (inputs)
        {
            var (matrix, rounded, error) = new ClipSearch(bits, 20, 3, 0, 2).Solve(w.Length / Channels, Channels, (f, n, to) => w.AsSpan(f * Channels, n * Channels).CopyTo(to), format, inputs.Hessian);
            Assert.Equal(OutputErrorOf(w, x, Enumerable.Repeat(1f, Channels).ToArray(), format), rounded, 1e-3 * rounded);
            Assert.Equal(ErrorOf(matrix, w, x), error, 1e-3 * error);
            Assert.True(error < 0.9 * rounded, $"{error} of {rounded}");
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Descent_over_codes_ends_where_no_single_code_would_do_better(bool isSymmetric)
    {
        var format = new BlockFormat(3, 16, isSymmetric);
        var (w, x, inputs) = Problem();
        using (inputs)
        {
            var rows = w.Length / Channels;
            var (plain, _, before) = new ClipSearch(3, 20, 3, 0, 2).Solve(rows, Channels, (f, n, to) => w.AsSpan(f * Channels, n * Channels).CopyTo(to), format, inputs.Hessian);
            var (matrix, _, after) = new ClipSearch(3, 20, 3, 50, 2).Solve(rows, Channels, (f, n, to) => w.AsSpan(f * Channels, n * Channels).CopyTo(to), format, inputs.Hessian);
            Assert.Equal(ErrorOf(matrix, w, x), after, 1e-3 * after);
            Assert.True(after < 0.95 * before, $"{after} of {before}");
            for (var i = 0; i < w.Length; i += 7)
            {
                var code = matrix.Codes[i];
                foreach (var other in new[] { code - 1, code + 1 }.Where(c => c >= format.Least && c <= format.Greatest))
                {
                    matrix.Codes[i] = (byte)other;
                    Assert.True(ErrorOf(matrix, w, x) > after * (1 - 1e-4), $"code {other} for {code} at {i} is better");
                }

                matrix.Codes[i] = code;
            }
        }
    }

    [Fact]
    public void Folding_alone_keeps_the_function_and_says_what_took_the_scales()
    {
        var model = LanguageModels.Llama();
        var before = Step.Run(model, LanguageModels.Ids());
        var result = new AwqQuantization().Apply(model, Options() with { Quantize = false }, Step.Context(new IdsData()));
        FoldingTests.AssertClose(before, Step.Run(result.Model, LanguageModels.Ids()));
        Assert.Contains(result.Layers, l => l.Outcome == "scaled" && l.Reason.Contains(".gamma", StringComparison.Ordinal));
        Assert.DoesNotContain(result.Model.AllNodes, n => n.OpType == "MatMulNBits");
    }

    [Theory]
    [InlineData(4)]
    [InlineData(2)]
    public void Outputs_come_closer_than_by_plain_rounding(int bits)
    {
        var before = Step.Run(LanguageModels.Llama(), LanguageModels.Ids());
        var plain = Sqnr(Options() with { Bits = bits, ClipSteps = 0, Exclude = [] }, steps: false);
        var searched = Sqnr(Options() with { Bits = bits }, steps: true);
        Assert.True(searched > plain + 1, $"{searched:0.0} dB searched, {plain:0.0} dB plain");

        double Sqnr(AwqQuantization.Options options, bool steps)
        {
            var model = LanguageModels.Llama();
            if (!steps)
            {
                model = new WeightOnly.WeightQuantization().Apply(
                    model, new() { Bits = bits, BlockSize = 16, AccuracyLevel = 0, Embeddings = false }, Step.Context()).Model;
            }
            else
            {
                var result = new AwqQuantization().Apply(model, options, Step.Context(new IdsData()));
                Assert.Equal(15, result.Layers.Count(l => l.Outcome == "quantized"));
                model = result.Model;
            }

            return Step.Sqnr(before, Step.Run(model, LanguageModels.Ids()));
        }
    }

    [Fact]
    public void Results_do_not_depend_on_threads()
    {
        Assert.Equal(Bytes(1), Bytes(2));

        static float[] Bytes(int threads) =>
            Step.Run(new AwqQuantization().Apply(LanguageModels.Llama(), Options(), Step.Context(new IdsData(), threads)).Model, LanguageModels.Ids());
    }

    [Fact]
    public void A_model_without_products_says_so()
    {
        var model = new Model(new OnnxGraph("none"), 17);
        var x = model.Graph.AddInput("x", new TensorType(DataType.Float, new Shape(2, 4)));
        model.Graph.AddOutput(model.Graph.Add("Relu", [x], "y"));
        var error = Assert.Throws<DiagnosticException>(() => new AwqQuantization().Apply(model, Options(), Step.Context(new NormalData(2, 4))));
        Assert.Equal("BML5406", error.Diagnostics[0].Code);
    }

    internal static AwqQuantization.Options Options() => new() { Data = Step.Data, BlockSize = 16, AccuracyLevel = 0 };

    // Channel 3 is 30 times as large as the others, as in language models; channels are correlated.
    internal static (float[] W, float[] X, GroupInputs Inputs) Problem(int channels = Channels, int rows = 24, int samples = 200)
    {
        var w = Numbers.Normal(1, rows * channels, 0.3);
        var x = Numbers.Normal(2, samples * channels, 1);
        for (var i = 0; i < samples; i++)
        {
            x[i * channels + 3] *= 30;
            for (var j = 1; j < channels; j++)
            {
                x[i * channels + j] += j == 3 ? 0 : 0.5f * x[i * channels + j - 1] * (j == 4 ? 0 : 1);
            }
        }

        using var hessian = new HessianAccumulator(channels, 1);
        hessian.Add(x);
        var magnitude = new float[channels];
        var largest = new float[channels];
        for (var i = 0; i < x.Length; i++)
        {
            magnitude[i % channels] += Math.Abs(x[i]) / samples;
            largest[i % channels] = Math.Max(largest[i % channels], Math.Abs(x[i]));
        }

        return (w, x, new GroupInputs(hessian.Finish(), magnitude, largest, x));
    }

    // Mean over samples of ‖(Q(W·s)/s − W)·x‖², in double.
    private static double OutputErrorOf(float[] w, float[] x, float[] scales, BlockFormat format)
    {
        var channels = scales.Length;
        var matrix = new BlockQuantizedMatrix(w.Length / channels, channels, format);
        var effective = new float[w.Length];
        for (var row = 0; row < matrix.Rows; row++)
        {
            var scaled = Enumerable.Range(0, channels).Select(c => w[row * channels + c] * scales[c]).ToArray();
            BlockKernels.RoundRow(format, scaled, matrix.CodesOf(row), matrix.ScalesOf(row), matrix.ZeroPointsOf(row));
            matrix.Dequantize(row, scaled);
            for (var c = 0; c < channels; c++)
            {
                effective[row * channels + c] = scaled[c] / scales[c];
            }
        }

        return MeanSquare(effective, w, x, channels);
    }

    private static double ErrorOf(BlockQuantizedMatrix matrix, float[] w, float[] x)
    {
        var values = new float[w.Length];
        for (var row = 0; row < matrix.Rows; row++)
        {
            matrix.Dequantize(row, values.AsSpan(row * matrix.Columns, matrix.Columns));
        }

        return MeanSquare(values, w, x, matrix.Columns);
    }

    private static double MeanSquare(float[] a, float[] b, float[] x, int channels)
    {
        var sum = 0d;
        for (var sample = 0; sample < x.Length; sample += channels)
        {
            for (var row = 0; row < a.Length; row += channels)
            {
                var e = 0d;
                for (var c = 0; c < channels; c++)
                {
                    e += ((double)a[row + c] - b[row + c]) * x[sample + c];
                }

                sum += e * e;
            }
        }

        return sum / (x.Length / channels);
    }

    private static double BestRow(float[] w, float[] x, BlockFormat format)
    {
        var (fitted, middle) = BlockKernels.Fit(format, w);
        var best = double.PositiveInfinity;
        for (var i = 0; i <= 30; i++)
        {
            // The plain range and 30 factors from 1.05 to 0.45.
            var scale = fitted * (i == 30 ? 1 : 1.05f - 0.6f * i / 29);
            foreach (var (s, z) in format.Symmetric ? [(scale, (int)middle), (-scale, middle)] : new[] { (scale, middle - 1), (scale, middle), (scale, middle + 1) })
            {
                if (z < 0 || (!format.Symmetric && z > format.Greatest) || (i == 30 && (s != fitted || z != middle)))
                {
                    continue;
                }

                var values = w.Select(v => ((float)Math.Clamp(Math.Round(v * (1 / s)) + z, format.Least, format.Greatest) - z) * s).ToArray();
                best = Math.Min(best, MeanSquare(values, w, x, 16));
            }
        }

        return best;
    }

    internal sealed class IdsData : DataSet
    {
        public override int Count => 12;

        public override Sample this[int index]
        {
            get
            {
                var random = new Random(index);
                var ids = Enumerable.Range(0, LanguageModels.Length).Select(_ => (long)random.Next(LanguageModels.Vocabulary)).ToArray();
                return new([new("", Tensor.Of(ids, ids.Length))], Label.None);
            }
        }
    }
}
