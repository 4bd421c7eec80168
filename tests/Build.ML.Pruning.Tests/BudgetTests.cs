using System.Collections.Immutable;
using Build.ML.Abstractions.Data;
using Build.ML.Abstractions.Techniques;
using Build.ML.Architectures.Texts;
using Build.ML.Graph;
using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;
using Build.ML.OnnxRuntime;
using Build.ML.Pruning.Budgets;
using Build.ML.Pruning.Wanda;
using Build.ML.Training;
using DataType = Build.ML.Graph.DataType;

namespace Build.ML.Pruning.Tests;

public sealed class BudgetTests
{
    [Fact]
    public void Erk_of_two_layers_by_hand()
    {
        // [10, 20]: 30/200 = 0.15; [100, 100]: 200/10,000 = 0.02. Half of 10,200 stays: ε·(30 + 200) = 5,100 would be 665 of 200, so all of the first, 4,900 of the second.
        using var model = Chain((10, 20), (100, 100));
        Assert.Equal([0, 5100], Zeros(model, new ErkBudget(), 0.5));

        // A tenth stays: ε = 1,020/230, 133.04 and 886.96.
        Assert.Equal([67, 9113], Zeros(model, new ErkBudget(), 0.9));
    }

    [Theory]
    [InlineData(0.1)]
    [InlineData(0.5)]
    [InlineData(0.77)]
    [InlineData(0.99)]
    public void Every_budget_gives_exactly_as_many_zeros_as_asked_for(double sparsity)
    {
        foreach (var budget in new SparsityBudget[] { new ErkBudget(), new SensitivityBudget(), new EcoflapBudget { Losses = [new NextToken()], Samples = 8 } })
        {
            using var model = Llama();
            var weights = Float(model);
            new WandaPruning().Apply(model, new() { Data = new("calibration"), Sparsity = sparsity, Budget = budget }, Context(new Tokens(16)));
            var layers = Float(model).Where(w => w.Key.Contains("proj", StringComparison.Ordinal) || w.Key.Contains("head", StringComparison.Ordinal)).ToArray();
            Assert.Equal(15, layers.Length);
            Assert.Equal((long)Math.Round(sparsity * layers.Sum(w => w.Value.Length)), layers.Sum(w => w.Value.Count(x => x == 0)));
        }
    }

    [Fact]
    public void Rounding_keeps_the_sum_and_gives_the_greatest_fractions_the_rest()
    {
        Assert.Equal([1, 3, 2], BudgetContext.Round([1.2, 2.9, 1.9], [9, 9, 9], 6));
        Assert.Equal([2, 2, 2], BudgetContext.Round([1.2, 2.9, 1.9], [9, 2, 9], 6));
        Assert.Equal([5, 2, 3], BudgetContext.Round([0, 0, 0], [5, 2, 3], 10));
    }

    [Fact]
    public void Sensitivity_shares_out_at_the_least_sum_of_errors()
    {
        // Against all shares in steps of a tenth; the second curve is not convex.
        double[] sparsities = [0, 0.3, 0.5, 0.7, 0.9, 1];
        double[][] curves = [[0, 0.1, 0.2, 0.5, 2, 9], [0, 0.3, 0.31, 0.4, 0.5, 4], [0, 0.01, 0.1, 1, 5, 20]];
        double[] counts = [100, 300, 50];
        for (var zeros = 0; zeros <= 450; zeros += 45)
        {
            var shares = SensitivityBudget.Minimize(sparsities, curves, counts, zeros);
            Assert.Equal(zeros, shares.Sum(), 1e-9);
            var own = shares.Select((s, i) => Hull(i, s / counts[i])).Sum();
            for (var a = 0; a <= 100; a += 10)
            {
                for (var b = 0; b <= 300; b += 10)
                {
                    if (zeros - a - b is >= 0 and <= 50 and var c)
                    {
                        Assert.True(own <= Hull(0, a / 100d) + Hull(1, b / 300d) + Hull(2, c / 50d) + 1e-9, $"{zeros}: {a}, {b}, {c}");
                    }
                }
            }
        }

        // The least line between any two points around a sparsity.
        double Hull(int layer, double s) => (
            from i in Enumerable.Range(0, 6)
            from j in Enumerable.Range(0, 6)
            where sparsities[i] <= s && s <= sparsities[j]
            select i == j ? curves[layer][i] : curves[layer][i] + (curves[layer][j] - curves[layer][i]) * (s - sparsities[i]) / (sparsities[j] - sparsities[i])).Min();
    }

    [Fact]
    public void Sensitivity_prunes_the_layer_that_outputs_do_not_feel()
    {
        // y = 0.001·x·B + x·A
        using var model = Branches();
        var zeros = Zeros(model, new SensitivityBudget(), 0.4, new Vectors());
        Assert.True(zeros[0] > 0.75 * 36 && zeros[1] < 5, string.Join(", ", zeros));
        Assert.All(Float(model).Where(w => w.Key is "a" or "b"), w => Assert.DoesNotContain(0f, w.Value)); // measured, and put back
    }

    [Fact]
    public void Ecoflaps_scores_are_the_gradients_norms()
    {
        // |z·g| of normal z is √(2/π)·|g| in the mean; of 600 draws within 3 deviations of √(π/2 − 1)/√600 = 3.1 %.
        using var model = Llama();
        var budget = new EcoflapBudget { Losses = [new NextToken()], Samples = 4, BatchSize = 4, Perturbations = 600, Epsilon = 1e-3 };
        var context = ContextOf(model, 0.5, new Tokens(4));
        var scores = budget.Scores(context);
        using var differentiated = model.Clone();
        var norms = new Dictionary<string, double>();
        new LossGradients(context.Step).Observe(differentiated, new("calibration"), [new NextToken()], v => context.Layers.Any(l => l.Weight.Name == v.Name), 4, gradients =>
        {
            foreach (var (name, gradient) in gradients)
            {
                norms[name] = Math.Sqrt(gradient.Span<float>().ToArray().Sum(g => (double)g * g));
            }
        });

        // Queries and keys of a network that was not trained move the loss by less than float32 tells: 2ε·|g| should be a hundred spacings of a loss of 3.4, 2.4e-7.
        var telling = Enumerable.Range(0, scores.Length).Where(i => 2 * budget.Epsilon * norms[context.Layers[i].Weight.Name] > 2.4e-5).ToArray();
        Assert.InRange(telling.Length, 5, 15);
        Assert.All(telling, i => Assert.InRange(scores[i]!.Value / (Math.Sqrt(2 / Math.PI) * norms[context.Layers[i].Weight.Name]), 0.9, 1.1));
    }

    [Fact]
    public void Ecoflap_keeps_more_of_the_layer_that_the_loss_depends_on_and_no_layer_exceeds_its_limit()
    {
        using var model = Branches();
        var budget = new EcoflapBudget { Losses = [new MeanSquaredError()], MaxExcess = 0.2, BatchSize = 4 };
        var zeros = Zeros(model, budget, 0.5, new Vectors());
        Assert.Equal(72 / 2, zeros.Sum());
        Assert.Equal((int)(0.7 * 36), zeros[0]); // 25.2: what loses most rounds down
        Assert.Equal(zeros, Zeros(model, budget, 0.5, new Vectors()));
    }

    [Fact]
    public void A_budget_that_measures_needs_data()
    {
        using var model = Chain((10, 20));
        var error = Assert.Throws<DiagnosticException>(() => new MagnitudePruning().Apply(model, new() { Budget = new SensitivityBudget() }, Context(new Tokens(1))));
        Assert.Equal("BML5410", error.Diagnostics[0].Code);
    }

    private static IReadOnlyList<long> Zeros(Model model, SparsityBudget budget, double sparsity, DataSet? data = null) => BudgetContext.Allocate(
        budget, model, PrunableLayers.Find(model, [], [], []).Layers, sparsity, new("calibration"), 0, Context(data ?? new Tokens(1)));

    private static BudgetContext ContextOf(Model model, double sparsity, DataSet data)
    {
        var layers = PrunableLayers.Find(model, [], [], []).Layers.Select(l => new BudgetLayer(PrunableLayers.NameOf(l.Node), l.Node, l.Weight.Value)).ToImmutableArray();
        return new(model, layers, (long)Math.Round(layers.Sum(l => l.Count) * sparsity), new("calibration"), Context(data));
    }

    private static StepContext Context(DataSet data) => new()
    {
        StepId = "sparse",
        Data = _ => data,
        Model = _ => throw new InvalidOperationException("No other model."),
        Inference = new OnnxRuntimeInference(),
        Threads = 2,
        ScratchDirectory = Path.GetTempPath(),
        Seed = 7,
    };

    private static Dictionary<string, float[]> Float(Model model) =>
        model.Graph.Initializers.Where(i => i.Initializer!.Type == DataType.Float).ToDictionary(i => i.Name, i => i.Initializer!.ToArray<float>());

    private static Model Llama() =>
        new LlamaDecoder { Layers = 2, Hidden = 16, Heads = 4, KeyHeads = 2, Intermediate = 24, Vocabulary = 30, Length = 12, Tied = false }.Build(3);

    private static Model Chain(params (int Inputs, int Outputs)[] layers)
    {
        var random = new Random(4);
        var model = new Model(new OnnxGraph("chain"), 17) { IrVersion = 8 };
        foreach (var (i, (inputs, outputs)) in layers.Index())
        {
            var x = model.Graph.AddInput($"x{i}", new TensorType(DataType.Float, Shape.Of(1, inputs)));
            var w = model.Graph.AddInitializer($"w{i}", Tensor.Of([.. Enumerable.Range(0, inputs * outputs).Select(_ => random.NextSingle() - 0.5f)], inputs, outputs));
            var y = model.Graph.Add("MatMul", [x, w], $"y{i}");
            y.Type = new TensorType(DataType.Float);
            model.Graph.AddOutput(y);
        }

        return model;
    }

    private static Model Branches()
    {
        var random = new Random(9);
        var model = new Model(new OnnxGraph("branches"), 17) { IrVersion = 8 };
        var g = model.Graph;
        var x = g.AddInput("x", new TensorType(DataType.Float, new Shape(new Dimension("n"), 6)));
        var b = g.Add("Mul", [g.Add("MatMul", [x, Weight("b")], "xb"), g.AddInitializer("small", Tensor.Of([0.001f]))], "scaled");
        var a = g.Add("MatMul", [x, Weight("a")], "xa");
        var y = g.Add("Add", [a, b], "y");
        y.Type = new TensorType(DataType.Float, new Shape(new Dimension("n"), 6));
        g.AddOutput(y);
        return model;

        Value Weight(string name) => g.AddInitializer(name, Tensor.Of([.. Enumerable.Range(0, 36).Select(_ => random.NextSingle() - 0.5f)], 6, 6));
    }

    private sealed class Tokens(int count) : DataSet
    {
        public override int Count => count;

        public override Sample this[int index]
        {
            get
            {
                var random = new Random(index);
                return new([new("", Tensor.Of([.. Enumerable.Range(0, 12).Select(_ => (long)random.Next(30))], 12))], Label.None);
            }
        }
    }

    private sealed class Vectors : DataSet
    {
        public override int Count => 8;

        public override Sample this[int index]
        {
            get
            {
                var random = new Random(index);
                return new([new("", Numbers(random))], new Label { Target = Numbers(random) });
            }
        }

        private static Tensor Numbers(Random random) => Tensor.Of([.. Enumerable.Range(0, 6).Select(_ => random.NextSingle() - 0.4f)], 6);
    }
}
