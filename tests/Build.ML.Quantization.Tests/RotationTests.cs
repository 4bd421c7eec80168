using Build.ML.Graph;
using Build.ML.Graph.Diagnostics;
using Build.ML.Quantization.Blocks;
using Build.ML.Quantization.Rotation;

namespace Build.ML.Quantization.Tests;

public sealed class RotationTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(4)]
    [InlineData(12)]
    [InlineData(20)]
    [InlineData(28)]
    [InlineData(36)]
    [InlineData(64)]
    [InlineData(96)]
    [InlineData(160)]
    public void Rows_of_a_Hadamard_matrix_are_orthogonal_signs(int size)
    {
        var h = HadamardMatrix.Of(size)!;
        Assert.All(h, x => Assert.True(x is 1 or -1));
        for (var i = 0; i < size; i++)
        {
            Assert.Equal(1, h[i]);
            Assert.Equal(1, h[i * size]);
            for (var j = 0; j < size; j++)
            {
                Assert.Equal(i == j ? size : 0, Enumerable.Range(0, size).Sum(k => h[i * size + k] * h[j * size + k]));
            }
        }
    }

    [Fact]
    public void Sizes_without_a_Hadamard_matrix_have_none() => Assert.All([3, 6, 10, 14, 43], size => Assert.Null(HadamardMatrix.Of(size)));

    [Theory]
    [InlineData(64, false)]
    [InlineData(172, false)]
    [InlineData(43, false)]
    [InlineData(64, true)]
    [InlineData(100, true)]
    public void Random_rotations_are_orthogonal_and_keep_the_mean_where_asked(int size, bool keepsMean)
    {
        var r = OrthogonalMatrix.Random(size, keepsMean, new Random(3));
        for (var i = 0; i < size; i++)
        {
            for (var j = 0; j < size; j++)
            {
                // 1e-6: float32 entries of about 1/√n, n products.
                Assert.Equal(i == j ? 1 : 0, Enumerable.Range(0, size).Sum(k => (double)r[i * size + k] * r[j * size + k]), 1e-6);
            }

            if (keepsMean)
            {
                Assert.Equal(1, Enumerable.Range(0, size).Sum(k => (double)r[i * size + k]), 1e-5);
            }
        }

        Assert.True(r.Max(Math.Abs) < 0.8, "It mixes channels.");
    }

    [Theory]
    [InlineData("llama", false)]
    [InlineData("llama", true)]
    [InlineData("llama tied", false)]
    [InlineData("llama tied", true)]
    [InlineData("llama fused", true)]
    [InlineData("gpt", false)]
    [InlineData("gpt", true)]
    public void The_rotated_model_computes_the_same_with_other_weights(string name, bool learns)
    {
        var model = FoldingTests.Build(name);
        var names = model.Graph.Initializers.Where(i => i.Initializer!.Rank == 2).ToDictionary(i => i.Name, i => i.Initializer!.ToArray<float>());
        var before = Step.Run(model, LanguageModels.Ids());
        var result = new RotationTechnique().Apply(model, Options(learns), Step.Context(new AwqTests.IdsData()));
        Assert.Equal(name == "gpt" ? 2 : 3, result.Layers.Count(l => l.Outcome == "rotated"));
        FoldingTests.AssertClose(before, Step.Run(result.Model, LanguageModels.Ids()), 1e-4);
        foreach (var (weight, numbers) in names)
        {
            var now = result.Model.Graph.Find(weight)?.Constant?.ToArray<float>();
            Assert.False(now is not null && now.AsSpan().SequenceEqual(numbers) && !weight.Contains("k.", StringComparison.Ordinal), $"{weight} was not rotated");
        }
    }

    [Fact]
    public void Inputs_of_down_projections_are_rotated_at_run_time_where_asked()
    {
        var model = LanguageModels.Llama();
        var before = Step.Run(model, LanguageModels.Ids());
        var products = model.Graph.Nodes.Count(n => n.OpType == "MatMul");
        var result = new RotationTechnique().Apply(model, Options(false) with { Online = true }, Step.Context());
        FoldingTests.AssertClose(before, Step.Run(result.Model, LanguageModels.Ids()), 1e-4);
        Assert.Equal(products + 2, model.Graph.Nodes.Count(n => n.OpType == "MatMul"));
        Assert.Equal(2, result.Layers.Count(l => l.Reason == "by a product at run time" && l.Layer.EndsWith(".down", StringComparison.Ordinal)));
    }

    [Fact]
    public void Learned_transforms_let_rounding_make_less_error_than_random_ones_and_than_none()
    {
        var before = Step.Run(LanguageModels.Llama(), LanguageModels.Ids());
        var none = Rounded(LanguageModels.Llama());
        var learned = Rounded(new RotationTechnique().Apply(LanguageModels.Llama(), Options(true) with { Iterations = 200 }, Step.Context(new AwqTests.IdsData())).Model);
        Assert.True(learned > none + 1, $"{learned:0.0} dB learned, {none:0.0} dB without");

        double Rounded(Model model)
        {
            var rounded = new WeightOnly.WeightQuantization().Apply(
                model, new() { Bits = 4, BlockSize = 16, AccuracyLevel = 0, Embeddings = false }, Step.Context()).Model;
            return Step.Sqnr(before, Step.Run(rounded, LanguageModels.Ids()));
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void The_error_that_learning_lowers_is_that_of_outputs(bool isSymmetric)
    {
        var (w, x, inputs) = AwqTests.Problem();
        using (inputs)
        {
            const int Channels = 32;
            var random = new Random(5);
            var transforms = new Transforms(
                [OrthogonalMatrix.Random(Channels, false, random)], [], [Array.ConvertAll(Numbers.Normal(6, Channels, 0.3), s => MathF.Exp(s))]);
            var format = new BlockFormat(4, 16, isSymmetric);
            var search = new RotationSearch([new(w, Channels, 0, 1, format) { StreamIn = 0 }], [inputs.Hessian], [], [], 2);
            var expected = 0d;
            var rows = w.Length / Channels;
            var (rotation, scales) = (transforms.Streams[0], transforms.Scales[0]!);
            var matrix = new BlockQuantizedMatrix(rows, Channels, format);
            var errors = new double[rows, Channels];
            for (var row = 0; row < rows; row++)
            {
                var turned = Enumerable.Range(0, Channels).Select(
                    c => (float)Enumerable.Range(0, Channels).Sum(k => (double)w[row * Channels + k] * rotation[k * Channels + c]) * scales[c]).ToArray();
                var rounded = (float[])turned.Clone();
                BlockKernels.RoundRow(format, turned, matrix.CodesOf(row), matrix.ScalesOf(row), matrix.ZeroPointsOf(row));
                matrix.Dequantize(row, rounded);
                for (var c = 0; c < Channels; c++)
                {
                    errors[row, c] = ((double)rounded[c] - turned[c]) / scales[c];
                }
            }

            for (var sample = 0; sample < x.Length; sample += Channels)
            {
                for (var row = 0; row < rows; row++)
                {
                    var e = 0d;
                    for (var c = 0; c < Channels; c++)
                    {
                        e += errors[row, c] * Enumerable.Range(0, Channels).Sum(k => (double)x[sample + k] * rotation[k * Channels + c]);
                    }

                    expected += e * e;
                }
            }

            // The Hessian is 2/n·Σ x·xᵀ. 0.5 %: a weight that falls between two codes by rounding of float32 changes a little.
            expected *= 2.0 / (x.Length / Channels);
            Assert.Equal(expected, search.Error(transforms, null), 5e-3 * expected);
        }
    }

    [Fact]
    public void A_stream_that_is_an_output_is_left_with_the_reason()
    {
        var model = LanguageModels.Llama();
        model.Graph.AddOutput(model.Graph.Find("l0.h1")!);
        var result = new RotationTechnique().Apply(model, Options(false), Step.Context());
        var left = Assert.Single(result.Layers, l => l.Outcome == "left" && l.Reason.Contains("output", StringComparison.Ordinal));
        Assert.Equal("'l0.h1' is an output of the model", left.Reason);
        Assert.Equal(2, result.Layers.Count(l => l.OpType == "attention values"));
    }

    [Fact]
    public void A_model_without_streams_says_what_was_looked_for()
    {
        var error = Assert.Throws<DiagnosticException>(() => new RotationTechnique().Apply(Models.Perceptron(), Options(false), Step.Context()));
        Assert.Equal("BML5450", error.Diagnostics[0].Code);
    }

    [Fact]
    public void The_seed_decides_the_rotation_and_threads_do_not()
    {
        var one = Embedding(1, 1);
        Assert.Equal(one, Embedding(1, 2));
        Assert.NotEqual(one, Embedding(2, 2));

        static float[] Embedding(long seed, int threads) => new RotationTechnique().Apply(
            LanguageModels.Llama(), Options(true) with { Iterations = 5 }, Step.Context(new AwqTests.IdsData(), threads) with { Seed = seed }).Model.Graph.Find("embedding.weight")!.Constant!.ToArray<float>();
    }

    private static RotationTechnique.Options Options(bool learns) => new() { Data = learns ? Step.Data : null, Iterations = 20, BlockSize = 16 };
}
