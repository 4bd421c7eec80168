using Build.ML.Abstractions.Data;
using Build.ML.Abstractions.References;
using Build.ML.Graph;
using Build.ML.Graph.Catalogs;
using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;

namespace Build.ML.Training.Tests;

/// <summary>Each loss against its definition in double, and its gradient against finite differences of the definition.</summary>
public sealed class LossTests : IDisposable
{
    readonly string _folder = Directory.CreateTempSubdirectory("buildml-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    static readonly float[] Six = [0.5f, -1, 2, 0.25f, 1.5f, -0.75f];

    static float[] Numbers(int count, long seed = 1, float size = 1)
    {
        var values = new float[count];
        new Random.CounterRandom(seed).FillNormal(values, 0, size);
        return values;
    }

    static Label Class(long value) => new() { Class = value };

    // Rows of a weight chosen by one-hot inputs, so that the output of sample i is row i in whatever order samples come.
    static Model Rows(float[] y, int samples, long[] sizes, string? last = null, string output = "y")
    {
        var graph = new OnnxGraph("rows");
        var x = graph.AddInput("x", new TensorType(DataType.Float, new Shape(new Dimension("n"), samples)));
        var rows = graph.Add("MatMul", [x, graph.AddInitializer("w", Tensor.Of(y, samples, y.Length / samples))], "rows");
        var value = graph.Add("Reshape", [rows, graph.AddInitializer("sizes", Tensor.Of([-1, .. sizes], sizes.Length + 1))], last is null ? output : "inner");
        value = last is null ? value : graph.Add(last, [value], output, last.Contains("Softmax", StringComparison.Ordinal) ? [NodeAttribute.Int("axis", -1)] : []);
        value.Type = new TensorType(DataType.Float, new Shape([new Dimension("n"), .. sizes.Select(d => new Dimension(d))]));
        return Training.Of(graph, value);
    }

    // One step of gradient descent with rate 1 is the gradient.
    static (double Loss, float[] Gradient) Measure(Loss loss, float[] y, long[] sizes, Label[] labels, string? last = null, params Model[] teachers)
    {
        using var model = Rows(y, labels.Length, sizes, last);
        var data = new MemoryData([.. labels.Select((l, i) =>
        {
            var x = new float[labels.Length];
            x[i] = 1;
            return new Sample([new("x", Tensor.Of(x, x.Length))], l);
        })]);
        var options = new TrainingOptions { Data = Training.Data, Steps = 1, BatchSize = labels.Length, Optimizer = new GradientDescent { LearningRate = 1, Momentum = 0 } };
        var result = new Trainer(Training.Context(data)).Fit(model, new TrainingPlan { Options = options, Losses = [loss], Teachers = [.. teachers] });
        return (result.Loss, [.. y.Zip(Training.Weights(model, "w"), (before, after) => before - after)]);
    }

    static void Check((double Loss, float[] Gradient) actual, float[] y, Func<double[], double> definition, double tolerance = 2e-6)
    {
        double[] point = [.. y.Select(v => (double)v)];
        Assert.Equal(definition(point), actual.Loss, tolerance * (1 + Math.Abs(actual.Loss)));
        for (var i = 0; i < y.Length; i++)
        {
            const double h = 1e-5;
            point[i] = y[i] + h;
            var above = definition(point);
            point[i] = y[i] - h;
            var gradient = (above - definition(point)) / (2 * h);
            point[i] = y[i];
            Assert.Equal(gradient, actual.Gradient[i], tolerance * (1 + Math.Abs(gradient)));
        }
    }

    static double[] LogSoftmax(ReadOnlySpan<double> x)
    {
        var all = x.ToArray();
        var log = all.Max() + Math.Log(all.Sum(v => Math.Exp(v - all.Max())));
        return [.. all.Select(v => v - log)];
    }

    static double[][] LogProbabilities(double[] y, int classes) => [.. y.Chunk(classes).Select(row => LogSoftmax(row))];

    [Theory]
    [InlineData(0, null)]
    [InlineData(0.1, null)]
    [InlineData(0.1, "Softmax")]
    [InlineData(0, "LogSoftmax")]
    public void Cross_entropy_with_smoothing_and_unknown_labels(double smoothing, string? last)
    {
        var y = Numbers(12);
        Label[] labels = [Class(2), Class(0), Class(-100), Class(1)];
        Check(Measure(new CrossEntropy { Smoothing = smoothing }, y, [3], labels, last), y, x =>
        {
            var p = LogProbabilities(x, 3);
            return new[] { (0, 2), (1, 0), (3, 1) }.Average(e => -(1 - smoothing) * p[e.Item1][e.Item2] - smoothing * p[e.Item1].Average());
        });
    }

    [Fact]
    public void Cross_entropy_of_every_position_along_the_last_axis()
    {
        var y = Numbers(12);
        Label[] labels = [new() { Target = Tensor.Of([1L, 2L], 2) }, new() { Target = Tensor.Of([0, -100], 2) }];
        Check(Measure(new CrossEntropy { Axis = -1 }, y, [2, 3], labels), y, x =>
        {
            var p = LogProbabilities(x, 3);
            return -(p[0][1] + p[1][2] + p[2][0]) / 3;
        });
    }

    [Fact]
    public void A_batch_of_unknown_labels_has_no_loss_and_no_gradient()
    {
        var unknown = new Label { Target = Tensor.Of([-100L, -100L], 2) };
        var (loss, gradient) = Measure(new CrossEntropy { Axis = -1, Smoothing = 0.1 }, Numbers(12), [2, 3], [unknown, unknown]);
        Assert.Equal(0, loss);
        Assert.All(gradient, g => Assert.Equal(0, g));
    }

    [Fact]
    public void Pseudo_label_is_the_cross_entropy_of_the_most_likely_class()
    {
        // Rows (0.5, −1, 2) and (0.25, 1.5, −0.75), unlabelled.
        Check(Measure(new PseudoLabel(), Six, [3], [Label.None, Label.None]), Six, x =>
            (Math.Log(Math.Exp(x[0]) + Math.Exp(x[1]) + Math.Exp(x[2])) - x[2] + Math.Log(Math.Exp(x[3]) + Math.Exp(x[4]) + Math.Exp(x[5])) - x[4]) / 2);
    }

    [Fact]
    public void Cross_entropy_of_every_pixel_with_classes_along_axis_one()
    {
        var y = Numbers(12);
        Label[] labels = [new() { Target = Tensor.Of([1, 0], 1, 2) }, new() { Target = Tensor.Of([2, 2], 1, 2) }];
        Check(Measure(new CrossEntropy(), y, [3, 1, 2], labels), y, x =>
        {
            double Of(int sample, int pixel, int label) => LogSoftmax([x[sample * 6 + pixel], x[sample * 6 + 2 + pixel], x[sample * 6 + 4 + pixel]])[label];
            return -(Of(0, 0, 1) + Of(0, 1, 0) + Of(1, 0, 2) + Of(1, 1, 2)) / 4;
        });
    }

    [Theory]
    [InlineData(1, null)]
    [InlineData(3, "Sigmoid")]
    public void Binary_cross_entropy_of_scores_or_probabilities(double positive, string? last)
    {
        Label[] labels = [new() { Target = Tensor.Of([1f, 0f, 1f]) }, new() { Target = Tensor.Of([0f, 0.25f, 1f]) }];
        double[] t = [1, 0, 1, 0, 0.25, 1];
        Check(Measure(new BinaryCrossEntropy { PositiveWeight = positive }, Six, [3], labels, last), Six, x =>
            x.Select((v, i) => -positive * t[i] * Math.Log(1 / (1 + Math.Exp(-v))) - (1 - t[i]) * Math.Log(1 - 1 / (1 + Math.Exp(-v)))).Average());
    }

    [Fact]
    public void Binary_cross_entropy_takes_a_class_where_there_is_one_score()
    {
        var y = Numbers(3);
        Check(Measure(new BinaryCrossEntropy(), y, [1], [Class(1), Class(0), Class(1)]), y, x => (Math.Log(1 + Math.Exp(-x[0])) + Math.Log(1 + Math.Exp(x[1])) + Math.Log(1 + Math.Exp(-x[2]))) / 3);
    }

    [Fact]
    public void Mean_squared_error_of_targets()
    {
        Label[] labels = [new() { Target = Tensor.Of([1f, 0f, 1f]) }, new() { Target = Tensor.Of([0L, 2L, 1L]) }];
        double[] t = [1, 0, 1, 0, 2, 1];
        Check(Measure(new MeanSquaredError(), Six, [3], labels), Six, x => x.Zip(t, (a, b) => (a - b) * (a - b)).Average());
    }

    [Theory]
    [InlineData(1, 1, null)]
    [InlineData(4, 1, "Softmax")]
    [InlineData(2, 2, null)]
    public void Divergence_from_one_teacher_or_the_mean_of_two(double temperature, int teachers, string? last)
    {
        var y = Numbers(12);
        float[][] of = [Numbers(12, 2, 2), Numbers(12, 3, 2)];
        Model[] models = [.. of.Take(teachers).Select(t => Rows(t, 4, [3], last, "logits"))];
        Check(Measure(new KullbackLeiblerDivergence { Temperature = temperature }, y, [3], [Class(0), Class(0), Class(0), Class(0)], last, models), y, x =>
        {
            var sum = 0d;
            for (var i = 0; i < 4; i++)
            {
                var q = LogSoftmax([.. x.Skip(3 * i).Take(3).Select(v => v / temperature)]);
                var p = Enumerable.Range(0, 3).Select(c => of.Take(teachers).Average(t => Math.Exp(LogSoftmax([.. t.Skip(3 * i).Take(3).Select(v => v / temperature)])[c]))).ToArray();
                sum += Enumerable.Range(0, 3).Sum(c => p[c] * (Math.Log(p[c]) - q[c]));
            }

            return temperature * temperature * sum / 4;
        }, 5e-6);
    }

    [Fact]
    public void Cosine_distance_hidden_states_and_attention_maps_of_a_teacher()
    {
        var t = Numbers(6, 2);
        var labels = new[] { Label.None, Label.None };
        Check(Measure(new CosineDistance(), Six, [3], labels, null, Rows(t, 2, [3])), Six, x => Enumerable.Range(0, 2).Average(i =>
        {
            var (dot, a, b) = (0d, 0d, 0d);
            for (var j = 3 * i; j < 3 * i + 3; j++)
            {
                (dot, a, b) = (dot + x[j] * t[j], a + x[j] * x[j], b + (double)t[j] * t[j]);
            }

            return 1 - dot / Math.Sqrt(a * b);
        }));
        Check(
            Measure(new HiddenStateMatching { Pairs = [new() { Student = "y", Teacher = "z" }, new() { Student = "rows" }] }, Six, [3], labels, null, Rows(t, 2, [3], output: "z")),
            Six,
            x => x.Zip(t, (a, b) => (a - b) * (a - b)).Average());
        float[] masked = [t[0], -1e4f, t[2], t[3], t[4], t[5]];
        Check(
            Measure(new AttentionMapMatching(), Six, [3], labels, null, Rows(masked, 2, [3])),
            Six,
            x => x.Select((a, i) => i == 1 ? a * a : (a - t[i]) * (a - t[i])).Average());
    }

    [Fact]
    public void Values_of_other_sizes_than_the_teachers_are_refused()
    {
        var error = Assert.Throws<DiagnosticException>(() => Measure(new HiddenStateMatching(), Six, [3], [Label.None, Label.None], null, Rows(Numbers(8), 2, [4])));
        Assert.Equal("BML6053", error.Diagnostics[0].Code);
        error = Assert.Throws<DiagnosticException>(() => Measure(new HiddenStateMatching(), Six, [3], [Label.None, Label.None]));
        Assert.Equal("BML6052", error.Diagnostics[0].Code);
        error = Assert.Throws<DiagnosticException>(() => Measure(new CrossEntropy { Output = "z" }, Six, [3], [Class(0), Class(0)]));
        Assert.Equal("BML6050", error.Diagnostics[0].Code);
    }

    // All paths of five steps over three classes, the blank one of them, that become the text.
    static double PathProbability(double[][] logs, int[] text, int blank)
    {
        var sum = 0d;
        var steps = logs.Length;
        for (var code = 0; code < Math.Pow(3, steps); code++)
        {
            var (path, rest) = (new int[steps], code);
            for (var t = 0; t < steps; t++)
            {
                (path[t], rest) = (rest % 3, rest / 3);
            }

            var read = path.Where((c, t) => c != blank && (t == 0 || path[t - 1] != c));
            sum += read.SequenceEqual(text) ? Math.Exp(path.Select((c, t) => logs[t][c]).Sum()) : 0;
        }

        return sum;
    }

    [Theory]
    [InlineData(0, 1)]
    [InlineData(2, 1)]
    [InlineData(0, 0)]
    public void Ctc_sums_over_all_alignments(int blank, int timeAxis)
    {
        var (a, b) = blank == 0 ? (1, 2) : (0, 1);
        int[][] texts = [[a, b], [a, a], [], [b, a, b]];
        var y = Numbers(4 * 5 * 3);
        var loss = new ConnectionistTemporalClassification { Blank = blank, MaxLength = 4, TimeAxis = timeAxis };
        Label[] labels = [.. texts.Select(t => new Label { Target = Tensor.Of(t.Select(c => (long)c).ToArray(), t.Length) })];
        if (timeAxis == 0)
        {
            // [steps, batch, classes] has no batch in front: one sample at a time.
            labels = [labels[0]];
            texts = [texts[0]];
            y = y[..15];
        }

        var measured = timeAxis == 1 ? Measure(loss, y, [5, 3], labels) : MeasureTimeFirst(loss, y, labels);
        Check(measured, y, x => texts.Select((t, i) => -Math.Log(PathProbability([.. x.Skip(15 * i).Take(15).Chunk(3).Select(r => LogSoftmax(r))], t, blank))).Average(), 1e-5);
    }

    static (double Loss, float[] Gradient) MeasureTimeFirst(Loss loss, float[] y, Label[] labels)
    {
        using var model = Rows(y, 1, [5, 3]);
        var turned = model.Graph.Add("Transpose", [model.Graph.Outputs[0]], "turned", [NodeAttribute.Ints("perm", [1, 0, 2])]);
        model.Graph.SetOutput(0, turned);
        turned.Type = new TensorType(DataType.Float);
        var options = new TrainingOptions { Data = Training.Data, Steps = 1, BatchSize = 1, Optimizer = new GradientDescent { LearningRate = 1, Momentum = 0 } };
        var data = new MemoryData(new Sample([new("x", Tensor.Of([1f], 1))], labels[0]));
        var result = new Trainer(Training.Context(data)).Fit(model, new TrainingPlan { Options = options, Losses = [loss] });
        return (result.Loss, [.. y.Zip(Training.Weights(model, "w"), (before, after) => before - after)]);
    }

    [Fact]
    public void Ctc_reads_texts_through_a_charset_and_leaves_out_those_that_do_not_fit()
    {
        var charset = Path.Combine(_folder, "charset.txt");
        File.WriteAllText(charset, "a\n");
        var loss = new ConnectionistTemporalClassification { Charset = new FileReference(charset), MaxLength = 4, SkipTooLong = true };
        var y = Numbers(2 * 3 * 3);
        Label[] labels = [new() { Text = "a " }, new() { Text = "aaa" }]; // "aaa" takes five steps
        Check(Measure(loss, y, [3, 3], labels), y, x => -Math.Log(PathProbability([.. x.Take(9).Chunk(3).Select(r => LogSoftmax(r))], [1, 2], 0)), 1e-5);
        var error = Assert.Throws<DiagnosticException>(() => Measure(loss with { SkipTooLong = false }, y, [3, 3], labels));
        Assert.Contains("a text of 3 characters that takes 5 steps", error.Message);
        error = Assert.Throws<DiagnosticException>(() => Measure(loss, y, [3, 3], [labels[0], new() { Text = "ab" }]));
        Assert.Contains("characters of the charset, which 'b' is not", error.Message);
        error = Assert.Throws<DiagnosticException>(() => Measure(loss with { Space = false }, y, [3, 3], labels));
        Assert.Equal("BML6058", error.Diagnostics[0].Code);
    }

    [Fact]
    public void Next_token_predicts_each_token_from_those_before()
    {
        // Scores [1, 4, 5] that are a row of an embedding of each token.
        var table = Numbers(25);
        long[] tokens = [3, 1, 4, 0];
        var graph = new OnnxGraph("lm");
        var ids = graph.AddInput("ids", new TensorType(DataType.Int64, new Shape(new Dimension("n"), 4)));
        var scores = graph.Add("Gather", [graph.AddInitializer("w", Tensor.Of(table, 5, 5)), ids], "scores");
        scores.Type = new TensorType(DataType.Float);
        using var model = Training.Of(graph, scores);
        var data = new MemoryData(new Sample([new("ids", Tensor.Of(tokens, 4))], Label.None));
        var options = new TrainingOptions { Data = Training.Data, Steps = 1, BatchSize = 1, Optimizer = new GradientDescent { LearningRate = 1, Momentum = 0 } };
        var result = new Trainer(Training.Context(data)).Fit(model, new TrainingPlan { Options = options, Losses = [new NextToken { PadToken = 0 }] });
        Check((result.Loss, [.. table.Zip(Training.Weights(model, "w"), (before, after) => before - after)]), table, x =>
        {
            var p = LogProbabilities(x, 5);
            return -(p[3][1] + p[1][4]) / 2;
        });
    }

    [Fact]
    public void Several_losses_add_up_by_their_weights()
    {
        using var model = Training.LinearModel();
        var plan = new TrainingPlan
        {
            Options = new TrainingOptions { Data = Training.Data, Steps = 1, BatchSize = 64, Optimizer = new GradientDescent { Momentum = 0, LearningRate = 1e-9 } },
            Losses = [new MeanSquaredError { Weight = 0.5 }, new MeanSquaredError { Weight = 0.25 }],
        };
        using var single = Training.LinearModel();
        var both = new Trainer(Training.Context(Training.Linear(64))).Fit(model, plan).Loss;
        Assert.Equal(0.75 * new Trainer(Training.Context(Training.Linear(64))).Fit(single, plan with { Losses = [new MeanSquaredError()] }).Loss, both, 1e-5);
    }

    [Fact]
    public void Every_loss_has_a_name() => Assert.Equal(
        ["attention_maps", "binary_cross_entropy", "cosine", "cross_entropy", "ctc", "hidden_states", "kl_divergence", "mse", "next_token", "pseudo_label"],
        Catalog<Loss>.Scan(typeof(Loss).Assembly).Names);
}
