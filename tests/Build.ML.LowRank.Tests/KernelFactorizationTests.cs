using System.ComponentModel.DataAnnotations;
using Build.ML.Calibration.LinearAlgebra;
using Build.ML.Graph;
using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;
using Build.ML.LowRank.Cp;
using Build.ML.LowRank.Tucker;
using static Build.ML.LowRank.Tests.Networks;

namespace Build.ML.LowRank.Tests;

public sealed class KernelFactorizationTests
{
    // Outputs, inputs, height, width.
    private static readonly long[] Sizes = [20, 14, 3, 5];

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_kernel_that_is_one_product_is_split_exactly(bool samePadding)
    {
        using var tucker = Convolution(Terms(1), samePadding);
        using var cp = Convolution(Terms(1), samePadding);
        var x = Numbers.Tensor(9, 1, 2, 14, 11, 12);
        var before = Run(tucker, x);
        var split = new TuckerFactorization().Apply(tucker, new() { Ranks = [1, 1] }, Context());
        Assert.Equal(3, tucker.Graph.NodeCount);
        AssertSame(before, Run(tucker, x), 2e-6);
        Assert.Equal((14.0 + 15 + 20) / (20 * 14 * 15), Figure(Assert.Single(split.Layers), "parameters_kept"), 1e-9);

        split = new CpFactorization().Apply(cp, new() { Rank = 1 }, Context());
        Assert.Equal(4, cp.Graph.NodeCount);
        AssertSame(before, Run(cp, x), 2e-6);
        Assert.Equal((14.0 + 3 + 5 + 20) / (20 * 14 * 15), Figure(Assert.Single(split.Layers), "parameters_kept"), 1e-9);
    }

    [Fact]
    public void Three_products_are_found_again_as_three_terms()
    {
        using var model = Convolution(Terms(3), false);
        var x = Numbers.Tensor(9, 1, 2, 14, 11, 12);
        var before = Run(model, x);
        var result = new CpFactorization().Apply(model, new() { Energy = 0.99999 }, Context());
        Assert.Equal(3, Figure(Assert.Single(result.Layers), "rank"));
        AssertSame(before, Run(model, x), 5e-3); // what remains of the energy, 1e-5 at most
    }

    [Fact]
    public void Ranks_of_all_channels_give_the_kernel_and_lower_ones_the_error_said()
    {
        using var kernel = Matrix(Numbers.Normal(1, 20 * 14 * 15, 1), 20, 14 * 15);
        using var whole = TuckerDecomposition.Of(kernel, 15, 20, 14);
        Assert.InRange(whole.SquaredError / whole.SquaredNorm, 0, 1e-6);
        Assert.InRange(Distance(kernel, whole) / whole.SquaredNorm, 0, 1e-11);

        using var part = TuckerDecomposition.Of(kernel, 15, 9, 6);
        Assert.Equal(Distance(kernel, part), part.SquaredError, 1e-4 * part.SquaredNorm);

        // No lower than what either unfolding alone loses.
        using var byOutputs = TruncatedSvd.Of(kernel.View, 9);
        Assert.InRange(part.SquaredError, byOutputs.SquaredError(9), part.SquaredNorm);
        using var two = TuckerDecomposition.Of(kernel, 15, 9, 6, threads: 2);
        for (var row = 0; row < 9; row++)
        {
            Assert.True(part.Core.Row(row).SequenceEqual(two.Core.Row(row)));
        }
    }

    [Fact]
    public void Energy_of_a_kernel_of_known_ranks_finds_these()
    {
        using var model = Convolution(Terms(6), false); // of six vectors of inputs and as many of outputs
        var x = Numbers.Tensor(9, 1, 2, 14, 11, 12);
        var before = Run(model, x);
        var result = new TuckerFactorization().Apply(model, new() { Energy = 0.999999 }, Context());
        Assert.Equal(6, Figure(result.Layers[0], "input_rank"));
        Assert.Equal(6, Figure(result.Layers[0], "output_rank"));
        AssertSame(before, Run(model, x), 5e-3);
    }

    [Fact]
    public void A_ratio_is_kept_by_both_and_decomposing_is_deterministic()
    {
        byte[] Bytes(int threads, bool tucker)
        {
            using var model = Convolution(Numbers.Normal(1, 20 * 14 * 15, 1), false);
            var result = tucker ? new TuckerFactorization().Apply(model, new() { Ratio = 0.3 }, Context(threads: threads))
                : new CpFactorization().Apply(model, new() { Ratio = 0.3 }, Context(threads: threads));
            Assert.InRange(Figure(result.Layers[0], "parameters_kept"), 0.2, 0.3);
            return model.ToBytes();
        }

        Assert.Equal(Bytes(1, true), Bytes(2, true));
        Assert.Equal(Bytes(1, false), Bytes(2, false));
    }

    [Fact]
    public void More_terms_come_nearer_and_the_error_said_is_the_distance()
    {
        using var kernel = Matrix(Numbers.Normal(1, 20 * 14 * 15, 1), 20, 14 * 15);
        var errors = new[] { 4, 16, 48 }.Select(rank =>
        {
            var cp = CpDecomposition.Of(kernel, 3, 5, rank, 1, 2, default);
            Assert.Equal(Distance(kernel, cp, rank), cp.SquaredError, 1e-4 * cp.SquaredNorm);
            return cp.SquaredError / cp.SquaredNorm;
        }).ToArray();
        Assert.True(errors[0] > errors[1] && errors[1] > errors[2], string.Join(", ", errors));
        Assert.InRange(errors[2], 0, 0.6);
    }

    [Fact]
    public void What_is_no_kernel_or_gains_nothing_is_left()
    {
        using var pointwise = Of("Conv", [1, 8, 4, 4], Numbers.Tensor(1, 1, 8, 8, 1, 1));
        Assert.Contains("lowrank.svd", Assert.Throws<DiagnosticException>(() => new TuckerFactorization().Apply(pointwise, new() { Ratio = 0.5 }, Context())).Message, StringComparison.Ordinal);
        Assert.Contains("lowrank.svd", Assert.Throws<DiagnosticException>(() => new CpFactorization().Apply(pointwise, new() { Ratio = 0.5 }, Context())).Message, StringComparison.Ordinal);
        using var model = Convolution(Numbers.Normal(1, 20 * 14 * 15, 1), false);
        Assert.Contains("nothing is gained", Assert.Throws<DiagnosticException>(() => new TuckerFactorization().Apply(model, new() { Ranks = [99, 99] }, Context())).Message, StringComparison.Ordinal);
        Assert.Contains("nothing is gained", Assert.Throws<DiagnosticException>(() => new CpFactorization().Apply(model, new() { Rank = 500 }, Context())).Message, StringComparison.Ordinal);

        static bool IsValid(object options) => Validator.TryValidateObject(options, new ValidationContext(options), null, validateAllProperties: true);
        Assert.False(IsValid(new TuckerFactorization.Options()));
        Assert.False(IsValid(new TuckerFactorization.Options { Ranks = [3] }));
        Assert.True(IsValid(new TuckerFactorization.Options { Ranks = [3, 4] }));
        Assert.False(IsValid(new CpFactorization.Options { Ratio = 0.5, Rank = 3 }));
    }

    private static Model Convolution(float[] kernel, bool samePadding) => Of(
        "Conv", [2, 14, 11, 12], Tensor.Of(kernel, Sizes), Numbers.Tensor(5, 1, 20),
        NodeAttribute.Ints("strides", 1, 2), samePadding ? NodeAttribute.String("auto_pad", "SAME_LOWER") : NodeAttribute.Ints("pads", 2, 1, 0, 3), NodeAttribute.Ints("dilations", samePadding ? [1, 1] : [2, 1]));

    private static float[] Terms(int count)
    {
        var kernel = new float[Sizes.Aggregate((a, b) => a * b)];
        for (var term = 0; term < count; term++)
        {
            var factors = Sizes.Select((size, i) => Numbers.Normal(100 * term + i + 1, size, 1)).ToArray();
            for (var i = 0; i < kernel.Length; i++)
            {
                kernel[i] += factors[0][i / 210] * factors[1][i / 15 % 14] * factors[2][i / 5 % 3] * factors[3][i % 5];
            }
        }

        return kernel;
    }

    private static double Distance(FloatMatrix kernel, TuckerDecomposition tucker)
    {
        var sum = 0d;
        for (var t = 0; t < kernel.Rows; t++)
        {
            for (var i = 0; i < kernel.Columns; i++)
            {
                var value = 0d;
                for (var p = 0; p < tucker.Outputs.Rows; p++)
                {
                    for (var q = 0; q < tucker.Inputs.Rows; q++)
                    {
                        value += (double)tucker.Outputs[p, t] * tucker.Inputs[q, i / 15] * tucker.Core[p, q * 15 + i % 15];
                    }
                }

                sum += Math.Pow(kernel[t, i] - value, 2);
            }
        }

        return sum;
    }

    private static double Distance(FloatMatrix kernel, CpDecomposition cp, int rank)
    {
        var sum = 0d;
        for (var t = 0; t < kernel.Rows; t++)
        {
            for (var i = 0; i < kernel.Columns; i++)
            {
                var value = 0d;
                for (var r = 0; r < rank; r++)
                {
                    value += cp.Outputs[r * 20 + t] * cp.Inputs[r * 14 + i / 15] * cp.Rows[r * 3 + i / 5 % 3] * cp.Columns[r * 5 + i % 5];
                }

                sum += Math.Pow(kernel[t, i] - value, 2);
            }
        }

        return sum;
    }
}
