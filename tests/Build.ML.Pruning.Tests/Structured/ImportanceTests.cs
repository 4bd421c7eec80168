using Build.ML.Abstractions.Data;
using Build.ML.Graph;
using Build.ML.Graph.Coupling;
using Build.ML.Graph.Diagnostics;
using Build.ML.Pruning.Structured.Importances;
using Build.ML.Training;

namespace Build.ML.Pruning.Tests.Structured;

public sealed class ImportanceTests
{
    [Fact]
    public void L1_and_l2_are_norms_of_filters_over_their_mean()
    {
        using var model = Bench.Convolutions();
        var weights = model.Graph.Find("first")!.Initializer!.ToArray<float>();
        var filters = weights.Chunk(27).ToArray();
        AssertRatios([.. filters.Select(f => f.Sum(w => (double)Math.Abs(w)))], Score(model, new L1Importance(), "first"));
        AssertRatios([.. filters.Select(f => Math.Sqrt(f.Sum(w => (double)w * w)))], Score(model, new L2Importance(), "first"));
    }

    [Fact]
    public void Columns_of_a_matrix_that_is_multiplied_from_the_right_are_scored_as_rows_of_one_that_is_transposed()
    {
        using var model = Bench.Perceptron();
        var up = model.Graph.Find("up")!.Initializer!.ToArray<float>(); // [6, 16]
        AssertRatios([.. Enumerable.Range(0, 16).Select(j => Enumerable.Range(0, 6).Sum(i => (double)Math.Abs(up[i * 16 + j])))], Score(model, new L1Importance(), "up"));
    }

    [Fact]
    public void Fpgm_is_the_sum_of_distances_to_all_other_filters()
    {
        using var model = Bench.Convolutions();
        var filters = model.Graph.Find("first")!.Initializer!.ToArray<float>().Chunk(27).ToArray();
        AssertRatios([.. filters.Select(f => filters.Sum(g => Math.Sqrt(f.Zip(g, (a, b) => (double)(a - b) * (a - b)).Sum())))], Score(model, new FpgmImportance(), "first"), 1e-3);
    }

    [Fact]
    public void Activation_is_the_mean_magnitude_of_what_the_next_layer_reads()
    {
        using var model = Bench.Perceptron();
        var data = Bench.Samples(40, 4, 6);
        using var inner = model.Clone();
        inner.Graph.SetOutput(0, inner.Graph.Find("r")!);
        var hidden = Bench.Run(inner, data).Chunk(16).ToArray();
        AssertRatios([.. Enumerable.Range(0, 16).Select(j => hidden.Average(h => (double)Math.Abs(h[j])))], Score(model, new ActivationImportance(), "up", data));
    }

    [Fact]
    public void Taylor_is_the_squared_derivative_by_a_gate_on_the_hidden_unit()
    {
        using var model = Bench.Perceptron();
        var data = Bench.Samples(12, 4, 6);
        var scores = Score(model, new TaylorImportance { BatchSize = 1, Loss = new CrossEntropy() }, "up", data);

        // dL/dgate by central differences of the loss with the reading row scaled by 1 ± e, for each sample alone.
        for (var unit = 0; unit < 16; unit += 5)
        {
            const float Step = 1e-2f;
            var (more, less) = (Losses(Gated(model, unit, 1 + Step), data), Losses(Gated(model, unit, 1 - Step), data));
            var expected = more.Zip(less, (m, l) => Math.Pow((m - l) / (2 * Step), 2)).Average();
            Assert.Equal(expected, scores[unit], Math.Max(1e-5, 0.02 * expected)); // curvature over a step of 1 %, float32 losses
        }
    }

    [Fact]
    public void Taylor_sees_a_unit_that_nothing_reads_as_worth_nothing()
    {
        using var model = Bench.Perceptron();
        Bench.Edit(model, "down", w => Array.Clear(w, 5 * 4, 4));
        var scores = Score(model, new TaylorImportance(), "up", Bench.Samples(16, 4, 6));
        Assert.Equal(0, scores[5]);
        Assert.True(scores.Max() > 0);
    }

    [Fact]
    public void Batch_norm_is_the_magnitude_of_the_scale_and_an_axis_without_one_is_named()
    {
        using var model = new Build.ML.Architectures.Images.CifarResNet { Depth = 8, Size = 16 }.Build(1);
        var coupling = ChannelCoupling.Analyze(model);
        var axis = coupling.Axes.First(a => a.Lock is null && a.Places.Any(p => p.Reader.Is("BatchNormalization")));
        var gammas = axis.Places.Where(p => p.Reader.Is("BatchNormalization") && p.Reader.Input(1) == p.Constant).ToArray();
        foreach (var (gamma, i) in gammas.Select((g, i) => (g, i)))
        {
            Bench.Edit(model, gamma.Constant.Name, w => w[Array.IndexOf(gamma.ToAxisPositions(), 3)] = i % 2 == 0 ? -2.5f : 1.5f);
        }

        coupling = ChannelCoupling.Analyze(model);
        axis = coupling.Axes.First(a => a.Name == axis.Name);
        var scores = new BatchNormImportance().Score(new() { Model = model, Coupling = coupling, Axes = [axis], Step = Bench.Context() })[0];
        Assert.Equal(Enumerable.Range(0, gammas.Length).Average(i => i % 2 == 0 ? 2.5 : 1.5), scores[3], 1e-5);

        using var plain = Bench.Convolutions();
        var error = Assert.Throws<DiagnosticException>(() => Score(plain, new BatchNormImportance(), "first"));
        Assert.Equal("BML5631", Assert.Single(error.Diagnostics).Code);
    }

    [Fact]
    public void Importances_from_data_say_that_the_step_names_none()
    {
        using var model = Bench.Perceptron();
        foreach (var importance in (Importance[])[new ActivationImportance(), new TaylorImportance()])
        {
            var error = Assert.Throws<DiagnosticException>(() => Score(model, importance, "up"));
            Assert.Equal("BML5630", Assert.Single(error.Diagnostics).Code);
        }
    }

    static float[] Score(Model model, Importance importance, string maker, DataSet? data = null)
    {
        var coupling = ChannelCoupling.Analyze(model);
        var axis = coupling.Axes.First(a => a.Places.Any(p => p.Role == AxisRole.Output && p.Constant.Name == maker));
        return importance.Score(new()
        {
            Model = model,
            Coupling = coupling,
            Axes = [axis],
            Step = Bench.Context(data),
            Data = data is null ? null : Bench.Data,
        })[0];
    }

    static void AssertRatios(double[] expected, float[] actual, double tolerance = 1e-5)
    {
        Assert.Equal(expected.Length, actual.Length);
        var mean = expected.Average();
        foreach (var (e, a) in expected.Zip(actual))
        {
            Assert.Equal(e / mean, a, tolerance); // sums in float32
        }
    }

    static Model Gated(Model model, int unit, float gate)
    {
        var copy = model.Clone();
        Bench.Scale(copy, "down", unit, gate);
        return copy;
    }

    static double[] Losses(Model model, DataSet data)
    {
        using (model)
        {
            return [.. Bench.Run(model, data).Chunk(4).Select((scores, i) =>
                Math.Log(scores.Sum(s => Math.Exp(s))) - scores[data[i].Label.Class!.Value])];
        }
    }
}
