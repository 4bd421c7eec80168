using System.Globalization;
using Build.ML.Benchmarks.Frame;

namespace Build.ML.Benchmarks;

/// <summary>Planning a large recipe in a process of its own: loading plugins, parsing, hashing, key files.</summary>
[Benchmark("plan")]
public sealed class PlanSpeed : IBenchmark
{
    /// <inheritdoc/>
    public string Summary => "1,000 steps planned by a new process, key files written: under 1 s";

    /// <inheritdoc/>
    public Outcome Run(BenchmarkContext context)
    {
        var steps = (int)context.Option("steps", 1000);
        BuildSample.Write(context.Folder, steps, sparsity: 0.5);
        var sides = Interleaved.Run(
            (int)context.Option("rounds", 5),
            "s",
            ("first plan", () =>
            {
                Directory.Delete(Directory.CreateDirectory(BuildSample.WorkPath(context.Folder)).FullName, recursive: true);
                return context.RunChild(context.Folder).OwnSeconds;
            }
        ),
            ("plan again", () => context.RunChild(context.Folder).OwnSeconds));
        return new Outcome(sides[0].Median, 1, "s")
        {
            Conditions = [new("plan again", sides[1].Median, 1, "s")],
            Details = sides,
        };
    }

    /// <inheritdoc/>
    public void RunChild(IReadOnlyList<string> arguments)
    {
        using var engine = BuildSample.CreateEngine(arguments[0]);
        var plan = engine.Plan([BuildSample.RecipePath(arguments[0])]);
        engine.WriteKeys(plan);
        Console.WriteLine(plan.Items.Count.ToString(CultureInfo.InvariantCulture));
    }
}
