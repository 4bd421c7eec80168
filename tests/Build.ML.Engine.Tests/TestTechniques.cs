using System.ComponentModel.DataAnnotations;
using Build.ML.Abstractions;
using Build.ML.Abstractions.References;
using Build.ML.Abstractions.Techniques;
using Build.ML.Graph;
using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Tensors;

namespace Build.ML.Engine.Tests;

/// <summary>Multiplies all weights.</summary>
[Technique("test.scale")]
public sealed class Scale : Technique<Scale.Options>
{
    public sealed record Options
    {
        [Range(-100d, 100d)]
        public double Factor { get; init; } = 1;
    }

    public override StepResult Apply(Model model, Options options, StepContext context)
    {
        Weights.Edit(model, w => w * (float)options.Factor);
        return new(model) { Notes = [$"weights times {options.Factor}"] };
    }
}

/// <summary>Limits weights; several options lead to the same bytes.</summary>
[Technique("test.clip")]
public sealed class Clip : Technique<Clip.Options>
{
    public sealed record Options
    {
        public double Maximum { get; init; } = 1;

        /// <summary>Changes nothing.</summary>
        public string Note { get; init; } = "";
    }

    public override StepResult Apply(Model model, Options options, StepContext context)
    {
        Weights.Edit(model, w => Math.Min(w, (float)options.Maximum));
        return new(model);
    }
}

/// <summary>Adds the mean of the data and a seeded number to the weights.</summary>
[Technique("test.calibrate")]
public sealed class Calibrate : Technique<Calibrate.Options>
{
    public sealed record Options
    {
        public DataReference Data { get; init; }

        public ModelReference? Teacher { get; init; }
    }

    public override StepResult Apply(Model model, Options options, StepContext context)
    {
        var data = context.Data(options.Data);
        var sum = 0f;
        for (var i = 0; i < data.Count; i++)
        {
            sum += data[i].Inputs[0].Value.ToArray<float>().Sum();
        }

        if (options.Teacher is { } teacher)
        {
            using var other = context.Model(teacher);
            sum += other.Graph.Initializers[0].Initializer!.ToArray<float>()[0];
        }

        Weights.Edit(model, w => w + (sum / data.Count) + (context.Seed * 0.25f));
        return new(model);
    }
}

/// <summary>Multiplies all weights by the factor that a metric likes best.</summary>
[Technique("test.search")]
public sealed class Search : Technique<Search.Options>
{
    public sealed record Options
    {
        public required MetricReference By { get; init; }

        public required DataReference Data { get; init; }
    }

    public override StepResult Apply(Model model, Options options, StepContext context)
    {
        var best = (Value: double.NegativeInfinity, Factor: 0f);
        foreach (var factor in new[] { -1f, 1f, 3f })
        {
            using var candidate = model.Clone();
            Weights.Edit(candidate, w => w * factor);
            var figure = context.Evaluate(candidate, options.Data, [options.By]).Single();
            best = figure.Value > best.Value ? (figure.Value, factor) : best;
        }

        Weights.Edit(model, w => w * best.Factor);
        return new(model) { Notes = [$"best {best.Value}"] };
    }
}

/// <summary>Does nothing, in one of several unpleasant ways.</summary>
[Technique("test.trouble")]
public sealed class Trouble : Technique<Trouble.Options>
{
    public enum Kind
    {
        Mistake,
        Defect,
        Forever,
        BrokenModel,
    }

    public sealed record Options
    {
        public Kind Kind { get; init; }
    }

    public static ManualResetEventSlim Began { get; } = new();

    public override StepResult Apply(Model model, Options options, StepContext context)
    {
        Began.Set();
        File.WriteAllText(Path.Combine(context.ScratchDirectory, "left.bin"), "left");
        return options.Kind switch
        {
            Kind.Mistake => throw new DiagnosticException("TST0001", "the model does not fit"),
            Kind.Defect => throw new InvalidOperationException("a defect"),
            Kind.Forever => Wait(context),
            _ => new(new Model(new Graph.Ir.OnnxGraph())),
        };
    }

    private static StepResult Wait(StepContext context)
    {
        for (var i = 1; ; i++)
        {
            context.Progress.Report(new(1 - (1d / i), "waiting"));
            context.Cancellation.WaitHandle.WaitOne(5);
            context.Cancellation.ThrowIfCancellationRequested();
        }
    }
}

/// <summary>Counts how many of its kind run at once, and how many threads they were given.</summary>
[Technique("test.parallel")]
public sealed class ParallelProbe : Technique<NoOptions>
{
    private static readonly Lock Gate = new();
    private static int _running;

    public static int Most { get; set; }

    public static int MostThreads { get; set; }

    public override StepResult Apply(Model model, NoOptions options, StepContext context)
    {
        lock (Gate)
        {
            Most = Math.Max(Most, ++_running);
            MostThreads = Math.Max(MostThreads, context.Threads);
        }

        context.Cancellation.WaitHandle.WaitOne(150);
        lock (Gate)
        {
            _running--;
        }

        Weights.Edit(model, w => w + 1);
        return new(model);
    }
}

/// <summary>Halves weights until the gates hold.</summary>
[Technique("test.until_gates_hold", ChecksGates = true)]
public sealed class UntilGatesHold : Technique<NoOptions>
{
    public override StepResult Apply(Model model, NoOptions options, StepContext context)
    {
        for (var tries = 1; tries < 10; tries++)
        {
            if (context.CheckGates(model) is { Passed: true } verdict)
            {
                return new(model) { Notes = [$"{tries} tries", .. verdict.Gates] };
            }

            Weights.Edit(model, w => w / 2);
        }

        throw new InvalidOperationException("No candidate passed.");
    }
}

static class Weights
{
    public static void Edit(Model model, Func<float, float> edit)
    {
        foreach (var value in model.Graph.Initializers.ToList())
        {
            var tensor = value.Initializer!;
            model.Graph.SetInitializer(value, Tensor.Of(tensor.ToArray<float>().Select(edit).ToArray(), tensor.Sizes.AsSpan()));
        }
    }
}
