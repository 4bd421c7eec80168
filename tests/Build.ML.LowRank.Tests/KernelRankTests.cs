using System.ComponentModel.DataAnnotations;
using Build.ML.Abstractions.Techniques;
using Build.ML.Graph;
using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;
using Build.ML.LowRank.Tucker;
using DataType = Build.ML.Graph.DataType;
using static Build.ML.LowRank.Tests.Networks;

namespace Build.ML.LowRank.Tests;

public sealed class KernelRankTests
{
    private const int Channels = 16;

    [Fact]
    public void A_tucker_budget_is_shared_out_as_well_as_any_pair_of_ranks_keeps_it()
    {
        var (steep, flat) = (Kernel(4, 1), Kernel(Channels, 7));
        using var model = Two(steep, flat);
        var result = new TuckerFactorization().Apply(model, new() { Budget = 0.6 }, Context());
        const int whole = Channels * Channels * 9;
        var kept = result.Layers.Sum(l => l.Outcome == "factored" ? Figure(l, "parameters_kept") * whole : whole);
        Assert.InRange(kept, 0, 0.6 * 2 * whole);

        // Every pair of ways, and each layer whole, by brute force.
        var ways = new[] { steep, flat }.Select(k =>
        {
            using var kernel = Matrix(k, Channels, Channels * 9);
            return TuckerRanks.Ways(kernel, 9, 1).Select(w => (w.Ranks, Parameters: w.Ranks.Parameters(Channels, Channels, 9), w.Loss)).Append((default, whole, 0)).ToArray();
        }).ToArray();
        var least = ways[0].SelectMany(_ => ways[1], (a, b) => (a, b)).Where(p => p.a.Parameters + p.b.Parameters <= 0.6 * 2 * whole).Min(p => p.a.Loss + p.b.Loss);
        var chosen = result.Layers.Select((l, i) => l.Outcome == "factored" ? ways[i].Single(w => w.Ranks == new TuckerRanks((int)Figure(l, "input_rank"), (int)Figure(l, "output_rank"))).Loss : 0);
        Assert.InRange(chosen.Sum(), least - 1e-9, least + 0.02); // Lagrange's multiplier reaches the corners of the hull, one step of a rank from the best
        Assert.InRange(Figure(result.Layers.Single(l => l.Layer == "c0"), "error"), 0, 1e-3); // four vectors are all there is of it
    }

    [Fact]
    public void Terms_of_a_budget_go_where_they_tell_most()
    {
        using var model = Two(Terms(3), Kernel(Channels, 7));
        var result = new CpFactorization().Apply(model, new() { Budget = 0.6 }, Context());
        const int whole = Channels * Channels * 9;
        Assert.InRange(result.Layers.Sum(l => l.Outcome == "factored" ? Figure(l, "parameters_kept") * whole : whole), 0, 0.6 * 2 * whole);
        var few = result.Layers.Single(l => l.Layer == "c0");
        Assert.InRange(Figure(few, "rank"), 3, 6);
        Assert.InRange(Figure(few, "error"), 0, 0.01);
        var error = Assert.Throws<DiagnosticException>(() => new CpFactorization().Apply(Two(Terms(3), Kernel(Channels, 7)), new() { Budget = 0.005 }, Context()));
        Assert.Equal("BML5702", error.Diagnostics[0].Code); // one term in each takes 76 of 4608
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void By_latency_a_convolution_is_split_only_if_its_parts_were_measured_to_be_faster(bool tucker)
    {
        Model Network() => Of("Conv", [1, 32, 28, 28], Tensor.Of(Numbers.Normal(1, 32 * 32 * 9, 1), 32, 32, 3, 3), null, NodeAttribute.Ints("pads", 1, 1, 1, 1));
        StepResult Apply(Model model, double latency) => tucker ? new TuckerFactorization().Apply(model, new() { Latency = latency }, Context())
            : new CpFactorization().Apply(model, new() { Latency = latency }, Context());
        using var model = Network();
        var factored = Assert.Single(Apply(model, 1.1).Layers);
        Assert.Equal("factored", factored.Outcome);
        Assert.Equal(0, Figure(factored, tucker ? "output_rank" : "rank") % 8);
        Assert.InRange(Figure(factored, "speedup"), 1.1, 100);

        using var same = Network();
        Assert.Contains("no gain was measured", Assert.Throws<DiagnosticException>(() => Apply(same, 99)).Message, StringComparison.Ordinal);

        using var open = Of("Conv", [1, 32, 28, 28], Tensor.Of(Numbers.Normal(1, 32 * 32 * 9, 1), 32, 32, 3, 3));
        open.Graph.Inputs[0].Type = new TensorType(DataType.Float, new Shape(1, 32, new Dimension("h"), new Dimension("w")));
        Assert.Contains("size of the images it reads is not known", Assert.Throws<DiagnosticException>(() => Apply(open, 1.3)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void By_latency_a_convolution_too_small_for_one_term_is_not_said_to_have_been_measured()
    {
        using var small = Of("Conv", [1, 1, 8, 8], Tensor.Of(Numbers.Normal(1, 2, 1), 1, 1, 1, 2)); // a term takes 1 + 1 + 1 + 2
        var error = Assert.Throws<DiagnosticException>(() => new CpFactorization().Apply(small, new() { Latency = 1.1 }, Context()));
        Assert.Contains("1 terms take 5 numbers, the layer has 2", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Exactly_one_option_decides_the_ranks()
    {
        static string[] Errors(object options)
        {
            var results = new List<ValidationResult>();
            Validator.TryValidateObject(options, new ValidationContext(options), results, validateAllProperties: true);
            return [.. results.Select(r => r.ErrorMessage!)];
        }

        Assert.Empty(Errors(new TuckerFactorization.Options { Budget = 0.5 }));
        Assert.Empty(Errors(new CpFactorization.Options { Latency = 1.5 }));
        Assert.Equal("exactly one of ratio, energy, budget, latency and ranks decides the ranks, 2 of them are given", Assert.Single(Errors(new TuckerFactorization.Options { Budget = 0.5, Ranks = [1, 2] })));
        Assert.Equal("exactly one of ratio, energy, budget, latency and rank decides the ranks, none of them is given", Assert.Single(Errors(new CpFactorization.Options())));
    }

    // x → c0 → c1, 3×3 both.
    private static Model Two(float[] first, float[] second)
    {
        var graph = new OnnxGraph("two");
        var value = graph.AddInput("x", new TensorType(DataType.Float, Shape.Of(1, Channels, 8, 8)));
        foreach (var (name, kernel) in new[] { ("c0", first), ("c1", second) })
        {
            value = graph.Add("Conv", [value, graph.AddInitializer("w_" + name, Tensor.Of(kernel, Channels, Channels, 3, 3))], name, [NodeAttribute.Ints("pads", 1, 1, 1, 1)]);
        }

        value.Type = new TensorType(DataType.Float);
        graph.AddOutput(value);
        return new Model(graph, 17) { IrVersion = 8 };
    }

    // Outputs [T, S·9] of a rank in the outputs and as few vectors of inputs.
    private static float[] Kernel(int rank, int seed)
    {
        var (left, core, right) = (Numbers.Normal(seed, Channels * rank, 1), Numbers.Normal(seed + 1, rank * rank * 9, 1), Numbers.Normal(seed + 2, rank * Channels, 1));
        var kernel = new float[Channels * Channels * 9];
        for (var i = 0; i < kernel.Length; i++)
        {
            var (t, s, k) = (i / (Channels * 9), i / 9 % Channels, i % 9);
            var sum = 0d;
            for (var p = 0; p < rank; p++)
            {
                for (var q = 0; q < rank; q++)
                {
                    sum += (double)left[t * rank + p] * core[(p * rank + q) * 9 + k] * right[q * Channels + s];
                }
            }

            kernel[i] = (float)(sum / rank);
        }

        return kernel;
    }

    private static float[] Terms(int count)
    {
        var kernel = new float[Channels * Channels * 9];
        for (var term = 0; term < count; term++)
        {
            var (t, s, h, v) = (Numbers.Normal(term, Channels, 1), Numbers.Normal(term + 10, Channels, 1), Numbers.Normal(term + 20, 3, 1), Numbers.Normal(term + 30, 3, 1));
            for (var i = 0; i < kernel.Length; i++)
            {
                kernel[i] += t[i / (Channels * 9)] * s[i / 9 % Channels] * h[i / 3 % 3] * v[i % 3];
            }
        }

        return kernel;
    }
}
