using Build.ML.Abstractions.Data;
using Build.ML.Graph;
using Build.ML.Graph.Coupling;
using Build.ML.Graph.Diagnostics;
using Build.ML.Pruning.Structured;
using Build.ML.Pruning.Structured.Importances;

namespace Build.ML.Pruning.Tests.Structured;

public sealed class NewtonImportanceTests
{
    [Fact]
    public void The_score_is_minus_the_inverse_of_the_products_of_contributions_times_ones()
    {
        // G by its definition, from every sample's contributions, and the system solved by elimination in double.
        using var model = Bench.Perceptron(5);
        var data = Bench.Samples(64, 4, 6);
        var score = Assert.Single(Score(model, data, 0.01));
        using var watched = model.Clone();
        watched.Graph.SetOutput(0, watched.Graph.Find("r")!);
        float[] hidden = Bench.Run(watched, data), down = model.Graph.Find("down")!.Initializer!.ToArray<float>();
        var g = new double[5, 5];
        var total = 0d;
        for (var i = 0; i < 5; i++)
        {
            for (var j = 0; j < 5; j++)
            {
                for (var n = 0; n < 64; n++)
                    for (var o = 0; o < 4; o++)
                        g[i, j] += 2.0 / 64 * hidden[(n * 5) + i] * down[(i * 4) + o] * hidden[(n * 5) + j] * down[(j * 4) + o];
                total += g[i, j];
            }
        }

        var diagonal = Enumerable.Range(0, 5).Average(i => g[i, i]);
        for (var i = 0; i < 5; i++)
            g[i, i] += 0.01 * diagonal;
        var expected = Solve(g, [.. Enumerable.Repeat(1.0, 5)]).Select(x => -x * total).ToArray();
        Assert.All(expected.Zip(score), p => Assert.Equal(p.First, p.Second, 1e-3 * expected.Max(Math.Abs)));
    }

    [Fact]
    public void Neurons_whose_contributions_cancel_go_together_however_large_they_are()
    {
        using var model = Bench.Perceptron(16);
        foreach (var name in new[] { "up", "up_bias" })
        {
            Bench.Edit(model, name, numbers =>
            {
                for (var row = 0; row < numbers.Length; row += 16)
                    numbers[row + 9] = numbers[row + 4] *= 3;
            });
        }

        Bench.Edit(model, "down", numbers =>
        {
            for (var o = 0; o < 4; o++)
                numbers[(9 * 4) + o] = -numbers[(4 * 4) + o];
        });
        var data = Bench.Samples(64, 4, 6);
        var before = Bench.Run(model, data);
        double Lost(Importance importance)
        {
            using var pruned = model.Clone();
            new NeuronPruning().Apply(pruned, new() { Sparsity = 2 / 16.0, RoundTo = 1, Importance = importance, Data = Bench.Data }, Bench.Context(data));
            return Bench.Distance(Bench.Run(pruned, data), before);
        }

        Assert.InRange(Lost(new NewtonImportance { Damping = 1e-5 }), 0, 1e-5); // sums in another order
        Assert.InRange(Lost(new L2Importance()), 0.01, 10);
    }

    [Fact]
    public void With_compensation_the_output_is_the_least_squares_optimum_of_the_neurons_that_stay()
    {
        using var model = Bench.Perceptron(16);
        using var original = model.Clone();
        var data = Bench.Samples(200, 4, 6);
        new NeuronPruning().Apply(
            model, new() { Sparsity = 0.5, RoundTo = 1, Importance = new NewtonImportance(), Compensate = Compensation.LeastSquares, Ridge = 1e-9, Data = Bench.Data }, Bench.Context(data));
        Assert.Equal(8, model.Graph.Find("down")!.Initializer!.Sizes[0]);
        float[] before = Bench.Run(original, data), after = Bench.Run(model, data);

        // At the optimum what is missing is orthogonal to all that the layer reads, and to the constant of the bias.
        using var watched = model.Clone();
        watched.Graph.SetOutput(0, watched.Graph.Find("r")!);
        var hidden = Bench.Run(watched, data);
        var residual = before.Zip(after, (a, b) => (double)a - b).ToArray();
        Assert.InRange(Math.Sqrt(residual.Sum(r => r * r) / before.Sum(y => (double)y * y)), 1e-3, 0.9);
        for (var i = 0; i <= 8; i++)
        {
            for (var o = 0; o < 4; o++)
            {
                double product = 0, x = 0, r = 0;
                for (var n = 0; n < 200; n++)
                {
                    var input = i == 8 ? 1 : hidden[(n * 8) + i];
                    product += input * residual[(n * 4) + o];
                    x += input * input;
                    r += residual[(n * 4) + o] * residual[(n * 4) + o];
                }

                Assert.InRange(Math.Abs(product) / Math.Sqrt(x * r), 0, 2e-3); // float32 sums and the ridge
            }
        }
    }

    [Fact]
    public void Convolutions_are_refused_by_name()
    {
        using var model = Bench.Convolutions();
        var coupling = ChannelCoupling.Analyze(model);
        var axes = coupling.Axes.Where(a => a.Lock is null && a.Kind == AxisKind.Channel && a.Places.Any(p => p.Reader.OpType == "Conv" && p.Role == AxisRole.Input)).ToArray();
        var error = Assert.Throws<DiagnosticException>(() => new NewtonImportance().Score(new() { Model = model, Coupling = coupling, Axes = axes, Step = Bench.Context(Bench.Samples(4, 4, 3, 8, 8)), Data = Bench.Data }));
        Assert.All(error.Diagnostics, d => Assert.Equal("BML5653", d.Code));
    }

    private static IReadOnlyList<float[]> Score(Model model, DataSet data, double damping)
    {
        var coupling = ChannelCoupling.Analyze(model);
        var axes = coupling.Axes.Where(a => a.Kind == AxisKind.Neurons && a.Lock is null).ToArray();
        return new NewtonImportance { Damping = damping }.Score(new() { Model = model, Coupling = coupling, Axes = axes, Step = Bench.Context(data), Data = Bench.Data });
    }

    private static double[] Solve(double[,] a, double[] b)
    {
        var size = b.Length;
        for (var k = 0; k < size; k++)
        {
            for (var i = k + 1; i < size; i++)
            {
                var factor = a[i, k] / a[k, k];
                for (var j = k; j < size; j++)
                    a[i, j] -= factor * a[k, j];
                b[i] -= factor * b[k];
            }
        }

        for (var k = size - 1; k >= 0; k--)
        {
            for (var j = k + 1; j < size; j++)
                b[k] -= a[k, j] * b[j];
            b[k] /= a[k, k];
        }

        return b;
    }
}
