using Build.ML.Abstractions.References;
using Build.ML.Abstractions.Techniques;
using Build.ML.Graph;
using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Tensors;

namespace Build.ML.Training.Tests;

public sealed partial class TrainerTests : IDisposable
{
    readonly string _folder = Directory.CreateTempSubdirectory("buildml-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    static TrainingPlan Regression(TrainingOptions options) => new() { Options = options, Losses = [new MeanSquaredError()] };

    static TrainingPlan Classification(TrainingOptions options, params TrainingHook[] hooks) => new() { Options = options, Losses = [new CrossEntropy()], Hooks = [.. hooks] };

    [Fact]
    public void Linear_regression_reaches_the_plane_the_data_lies_on()
    {
        using var model = Training.LinearModel();
        var result = new Trainer(Training.Context(Training.Linear(64)))
            .Fit(model, Regression(new TrainingOptions { Data = Training.Data, Epochs = 200, BatchSize = 16, Optimizer = new GradientDescent { LearningRate = 0.05 } }));
        Assert.Same(model, result.Model);
        Assert.Equal(800, result.Steps);
        float[] expected = [1, -2, 0.5f, 3, -1.5f, 0.25f];
        Assert.All(expected.Zip(Training.Weights(model, "w")), p => Assert.Equal(p.First, p.Second, 1e-5f));
        Assert.All(new[] { 0.75f, -1 }.Zip(Training.Weights(model, "b")), p => Assert.Equal(p.First, p.Second, 1e-5f));
        Assert.InRange(result.Loss, 0, 1e-9);
    }

    [Fact]
    public void With_noise_the_full_batch_reaches_the_least_squares_solution()
    {
        var data = Training.Linear(40, noise: 0.5f);
        using var model = Training.LinearModel();
        new Trainer(Training.Context(data)).Fit(model, Regression(new TrainingOptions { Data = Training.Data, Steps = 600, BatchSize = 40, Optimizer = new GradientDescent { LearningRate = 0.1 } }));

        // At the least squares solution the residuals are orthogonal to every input, and to 1 for the bias.
        var (w, b) = (Training.Weights(model, "w"), Training.Weights(model, "b"));
        for (var j = 0; j < 2; j++)
        {
            var moments = new double[4];
            for (var i = 0; i < data.Count; i++)
            {
                var x = data[i].Inputs[0].Value.ToArray<float>();
                var residual = data[i].Label.Target!.ToArray<float>()[j] - b[j] - x[0] * w[j] - x[1] * w[2 + j] - (double)x[2] * w[4 + j];
                moments[3] += residual;
                for (var k = 0; k < 3; k++)
                {
                    moments[k] += residual * x[k];
                }
            }

            Assert.All(moments, m => Assert.Equal(0, m / data.Count, 1e-5)); // residuals are of 0.5
        }
    }

    [Fact]
    public void A_perceptron_learns_a_circle()
    {
        using var model = Training.Perceptron();
        new Trainer(Training.Context(Training.Circle(512)))
            .Fit(model, Classification(new TrainingOptions { Data = Training.Data, Epochs = 60, Optimizer = new AdamW { LearningRate = 0.01 }, Schedule = new CosineSchedule() }));
        Assert.InRange(Training.Accuracy(model, Training.Circle(500, seed: 6)), 0.96, 1); // a constant answer has 0.53
    }

    [Fact]
    public void Batch_statistics_are_kept_and_serve_in_use()
    {
        using var model = Training.Perceptron(normalized: true);
        new Trainer(Training.Context(Training.Circle(512)))
            .Fit(model, Classification(new TrainingOptions { Data = Training.Data, Epochs = 40, Optimizer = new AdamW { LearningRate = 0.01 }, Schedule = new CosineSchedule() }));
        Assert.InRange(Training.Accuracy(model, Training.Circle(500, seed: 6)), 0.95, 1);
        Assert.DoesNotContain(0f, Training.Weights(model, "mean0"));

        using var frozen = Training.Perceptron(normalized: true);
        new Trainer(Training.Context(Training.Circle(64)))
            .Fit(frozen, Classification(new TrainingOptions { Data = Training.Data, FreezeStatistics = true }));
        Assert.Equal(new float[16], Training.Weights(frozen, "mean0"));
        Assert.NotEqual(Training.Weights(Training.Perceptron(normalized: true), "scale0"), Training.Weights(frozen, "scale0"));
    }

    [Fact]
    public void Accumulating_two_batches_is_one_batch_of_twice_the_size()
    {
        float[] Train(int batch, int accumulate)
        {
            using var model = Training.LinearModel();
            new Trainer(Training.Context(Training.Linear(64, noise: 0.3f)))
                .Fit(model, Regression(new TrainingOptions { Data = Training.Data, Steps = 20, BatchSize = batch, Accumulate = accumulate, Optimizer = new GradientDescent() }));
            return Training.Weights(model, "w");
        }

        Assert.All(Train(16, 1).Zip(Train(8, 2)), p => Assert.Equal(p.First, p.Second, 1e-5f));
        Assert.NotEqual(Train(16, 1), Train(16, 2)); // other samples in a step
    }

    [Fact]
    public void Clipping_limits_the_length_of_a_step()
    {
        using var model = Training.LinearModel();
        new Trainer(Training.Context(Training.Linear(64)))
            .Fit(model, Regression(new TrainingOptions { Data = Training.Data, Steps = 1, BatchSize = 64, ClipNorm = 0.25, Optimizer = new GradientDescent { LearningRate = 2, Momentum = 0 } }));
        var length = Math.Sqrt(Training.Weights(model, "w").Concat(Training.Weights(model, "b")).Sum(x => (double)x * x));
        Assert.Equal(0.5, length, 1e-6);
    }

    [Fact]
    public void Frozen_weights_stay_and_groups_learn_at_their_own_pace()
    {
        using var before = Training.Perceptron();
        using var model = Training.Perceptron();
        new Trainer(Training.Context(Training.Circle(64))).Fit(model, Classification(new TrainingOptions
        {
            Data = Training.Data,
            Frozen = ["w0"],
            Groups = [new ParameterGroup { Parameters = ["*1"], LearningRate = 0 }],
        }));
        Assert.Equal(Training.Weights(before, "w0"), Training.Weights(model, "w0"));
        Assert.Equal(Training.Weights(before, "w1"), Training.Weights(model, "w1"));
        Assert.NotEqual(Training.Weights(before, "w2"), Training.Weights(model, "w2"));
        var error = Assert.Throws<DiagnosticException>(
            () => new Trainer(Training.Context(Training.Circle(64))).Fit(model, Classification(new TrainingOptions { Data = Training.Data, Frozen = ["nothing*"] })));
        Assert.Equal("BML6057", error.Diagnostics[0].Code);
    }

    [Fact]
    public void Training_stops_when_validation_gets_no_better_and_the_best_weights_are_restored()
    {
        // The rate is so high that the loss only gets worse after the first epochs.
        using var model = Training.LinearModel();
        var data = Training.Linear(64);
        var result = new Trainer(Training.Context(data, data)).Fit(model, Regression(new TrainingOptions
        {
            Data = Training.Data,
            Epochs = 50,
            BatchSize = 16,
            Optimizer = new GradientDescent { LearningRate = 0.4, Momentum = 0.9 },
            Validation = new DataReference("validation"),
            Patience = 3,
        }));
        Assert.True(result.Steps < 200);
        Assert.Equal(result.Validations.Min(v => v.Validation), result.Best!.Validation);
        Assert.Equal(3, result.Validations.Length - 1 - result.Validations.IndexOf(result.Best));

        // The restored weights have the loss that was measured.
        var (w, b) = (Training.Weights(model, "w"), Training.Weights(model, "b"));
        var loss = Enumerable.Range(0, 64).SelectMany(i => Enumerable.Range(0, 2).Select(j =>
        {
            var x = data[i].Inputs[0].Value.ToArray<float>();
            return Math.Pow(data[i].Label.Target!.ToArray<float>()[j] - b[j] - x[0] * w[j] - x[1] * w[2 + j] - x[2] * w[4 + j], 2);
        })).Average();
        Assert.Equal(loss, result.Best.Validation, 1e-4 * loss);
    }

    [Theory]
    [InlineData(null)]
    [InlineData(0.8)]
    public void Validation_is_the_loss_of_the_model_as_it_is_used(double? average)
    {
        using var model = Training.Perceptron(dropout: 0.3f, normalized: true);
        var data = Training.Circle(32, 9);
        var result = new Trainer(Training.Context(Training.Circle(64), data)).Fit(model, Classification(new TrainingOptions
        {
            Data = Training.Data,
            Epochs = 5,
            BatchSize = 16,
            Validation = new DataReference("validation"),
            Average = average,
            Optimizer = new AdamW { LearningRate = 0.02 },
        }));
        using var session = new OnnxRuntime.OnnxRuntimeInference().Open(model);
        var loss = data.Batches(1).Average(b =>
        {
            var scores = session.Run(b.Inputs)[0].ToArray<float>();
            return Math.Log(Math.Exp(scores[0]) + Math.Exp(scores[1])) - scores[b.Labels[0].Class!.Value];
        });
        Assert.Equal(loss, result.Best!.Validation, 1e-6);
    }

    [Fact]
    public void The_average_of_the_weights_is_what_comes_out()
    {
        float[] Train(double? average)
        {
            using var model = Training.LinearModel();
            new Trainer(Training.Context(Training.Linear(64)))
                .Fit(model, Regression(new TrainingOptions { Data = Training.Data, Steps = 2, BatchSize = 64, Average = average, Optimizer = new GradientDescent { Momentum = 0 } }));
            return Training.Weights(model, "w");
        }

        // Weights 0, w1, w2; averages: first 0.1·0 + 0.9·w1, then with 2/11: 2/11·0.9·w1 + 9/11·w2.
        float[] One()
        {
            using var model = Training.LinearModel();
            new Trainer(Training.Context(Training.Linear(64)))
                .Fit(model, Regression(new TrainingOptions { Data = Training.Data, Steps = 1, BatchSize = 64, Optimizer = new GradientDescent { Momentum = 0 } }));
            return Training.Weights(model, "w");
        }

        var (w1, w2, average) = (One(), Train(null), Train(0.99));
        for (var i = 0; i < 6; i++)
        {
            Assert.Equal(2 / 11d * 0.9 * w1[i] + 9 / 11d * w2[i], average[i], 1e-6);
        }
    }

    [Fact]
    public void A_loss_that_is_not_finite_names_the_step_and_what_to_try()
    {
        using var model = Training.LinearModel();
        var error = Assert.Throws<DiagnosticException>(() => new Trainer(Training.Context(Training.Linear(64)))
            .Fit(model, Regression(new TrainingOptions { Data = Training.Data, Steps = 500, Optimizer = new GradientDescent { LearningRate = 1e6 } })));
        var diagnostic = Assert.Single(error.Diagnostics);
        Assert.Contains(diagnostic.Code, new[] { "BML6060", "BML6061" });
        Assert.Matches("in step [0-9]+ of 500", diagnostic.Message);
        Assert.Contains("learning rate is 1e+06", diagnostic.Message);
        Assert.Equal(new float[6], Training.Weights(model, "w"));
    }

    [Fact]
    public void A_sample_that_is_not_finite_is_named()
    {
        var data = Training.Linear(8);
        var samples = Enumerable.Range(0, 8).Select(i => i != 5 ? data[i] : data[i] with { Inputs = [new("", Tensor.Of([1f, float.NaN, 0f], 3))] }).ToArray();
        using var model = Training.LinearModel();
        var error = Assert.Throws<DiagnosticException>(
            () => new Trainer(Training.Context(new MemoryData(samples))).Fit(model, Regression(new TrainingOptions { Data = Training.Data, BatchSize = 4 })));
        Assert.StartsWith("BML6060", error.Diagnostics[0].Code);
        Assert.Contains("Sample 5 of the training data has an element of 'x'", error.Message);
    }

    [Fact]
    public void The_first_layer_whose_result_is_not_finite_is_named()
    {
        using var model = Training.Perceptron();
        var w1 = model.Graph.Find("w1")!;
        model.Graph.SetInitializer(w1, Tensor.Of(Enumerable.Repeat(3e38f, 256).ToArray(), 16, 16));
        var error = Assert.Throws<DiagnosticException>(
            () => new Trainer(Training.Context(Training.Circle(64))).Fit(model, Classification(new TrainingOptions { Data = Training.Data })));
        Assert.Equal("BML6060", error.Diagnostics[0].Code);
        Assert.Contains("first layer whose result is not finite is", error.Message);
        Assert.Contains("z1", error.Message);
    }

    [Fact]
    public void Data_that_does_not_fit_the_model_is_described()
    {
        using var model = Training.LinearModel();
        var error = Assert.Throws<DiagnosticException>(
            () => new Trainer(Training.Context(Training.Circle(8))).Fit(model, Regression(new TrainingOptions { Data = Training.Data, BatchSize = 4 })));
        Assert.Equal("BML6056", Assert.Single(error.Diagnostics).Code);
        Assert.Contains("feeds 'x' as float[4,2], the model takes float[n,3]", error.Message);
    }

    [Fact]
    public void A_label_that_is_missing_or_no_class_names_the_sample()
    {
        using var model = Training.Perceptron();
        var unlabelled = Training.Linear(4);
        using var linear = Training.LinearModel();
        Assert.Contains("BML6054", Assert.Throws<DiagnosticException>(
            () => new Trainer(Training.Context(unlabelled)).Fit(linear, Classification(new TrainingOptions { Data = Training.Data, BatchSize = 4 }))).Message);
        var data = Training.Circle(4);
        var wrong = new MemoryData([data[0], data[1], data[2] with { Label = new() { Class = 2 } }]);
        var error = Assert.Throws<DiagnosticException>(
            () => new Trainer(Training.Context(wrong)).Fit(model, Classification(new TrainingOptions { Data = Training.Data, BatchSize = 3 })));
        Assert.Equal("BML6055", error.Diagnostics[0].Code);
        Assert.Contains("sample 2 of the training data is 2; expected a class of 0 to 1", error.Message);
    }

    [Fact]
    public void A_student_learns_from_its_teacher_without_labels()
    {
        using var teacher = Training.Perceptron();
        new Trainer(Training.Context(Training.Circle(512)))
            .Fit(teacher, Classification(new TrainingOptions { Data = Training.Data, Epochs = 60, Optimizer = new AdamW { LearningRate = 0.01 }, Schedule = new CosineSchedule() }));
        var data = Training.Circle(512);
        var unlabelled = new MemoryData([.. Enumerable.Range(0, 512).Select(i => data[i] with { Label = Abstractions.Data.Label.None })]);
        TrainingResult Learn(Model student, int epochs, double rate) => new Trainer(Training.Context(unlabelled, unlabelled)).Fit(student, new TrainingPlan
        {
            Options = new TrainingOptions
            {
                Data = Training.Data,
                Epochs = epochs,
                Optimizer = new AdamW { LearningRate = rate },
                Schedule = new CosineSchedule(),
                Validation = new DataReference("validation"),
                ValidateEvery = 10,
            },
            Losses = [new KullbackLeiblerDivergence { Temperature = 2 }],
            Teachers = [teacher],
        });
        using var student = Training.Perceptron(normalized: true);
        using var untrained = Training.Perceptron(normalized: true);
        var (learned, before) = (Learn(student, 60, 0.01), Learn(untrained, 1, 1e-12));
        Assert.InRange(Training.Accuracy(student, Training.Circle(500, seed: 6)), 0.94, 1);
        Assert.InRange(learned.Best!.Validation, 0, before.Best!.Validation / 10); // what is left is the sharp edge of a teacher that is sure of itself
    }

    [Fact]
    public void Progress_tells_epoch_step_and_loss()
    {
        var told = new Told();
        using var model = Training.LinearModel();
        new Trainer(Training.Context(Training.Linear(64), progress: told)).Fit(model, Regression(new TrainingOptions { Data = Training.Data, Epochs = 2 }));
        Assert.Equal("training: epoch 1/2, step 0/4", told.All[0].Phase);
        Assert.Equal("training: epoch 2/2, step 4/4", told.All[^1].Phase);
        Assert.Equal(1, told.All[^1].Fraction);
        Assert.NotNull(told.All[^1].Loss);
    }

    sealed class Told : IProgress<StepProgress>
    {
        public List<StepProgress> All { get; } = [];

        public void Report(StepProgress value) => All.Add(value);
    }
}
