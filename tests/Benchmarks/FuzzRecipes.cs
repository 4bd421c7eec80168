using System.Diagnostics;
using System.Globalization;
using Build.ML.Benchmarks.Frame;
using Build.ML.Graph.Diagnostics;
using Build.ML.Recipes;
using Build.ML.Recipes.Tests;
using Build.ML.TestSupport;

namespace Build.ML.Benchmarks;

/// <summary>Mutated recipes, read in processes of their own so that a stack overflow or a hang is seen for what it is.</summary>
[Benchmark("fuzz-recipes")]
public sealed class FuzzRecipes : IBenchmark
{
    private const int Batch = 10_000;

    /// <inheritdoc/>
    public string Summary => "100,000 mutated recipes: each ends in a recipe or a diagnostic, at most 5 s each, peak memory under 1 GB";

    /// <inheritdoc/>
    public Outcome Run(BenchmarkContext context)
    {
        SampleRecipe.WriteFiles(context.Folder);
        var count = context.Option("count", 100_000);
        var (failures, recipes) = (0L, 0L);
        var (peak, slowest) = (0.0, 0.0);
        for (var start = context.Option("start", 0); start < count; start += Batch)
        {
            var end = Math.Min(start + Batch, count);
            try
            {
                var child = context.RunChild(context.Folder, start.ToString(CultureInfo.InvariantCulture), end.ToString(CultureInfo.InvariantCulture));
                var lines = child.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
                var numbers = lines[^1].Split(' ');
                failures += lines.Length - 1;
                recipes += long.Parse(numbers[0], CultureInfo.InvariantCulture);
                slowest = Math.Max(slowest, double.Parse(numbers[1], CultureInfo.InvariantCulture));
                peak = Math.Max(peak, child.PeakBytes / 1e9);
                foreach (var line in lines[..^1])
                {
                    context.Log(line);
                }
            }
            catch (InvalidOperationException e)
            {
                failures++; // the process died: at least one
                context.Log($"seeds {start} to {end}: {e.Message}");
            }
        }

        return new Outcome(failures, 0, "crashes")
        {
            Conditions = [new("slowest recipe", slowest, 5, "s"), new("peak memory", peak, 1, "GB")],
            Details = [new("still recipes", recipes, recipes, recipes, $"of {count}")],
        };
    }

    /// <inheritdoc/>
    public void RunChild(IReadOnlyList<string> arguments)
    {
        var path = Path.Combine(arguments[0], SampleRecipe.FileName);
        var properties = new Dictionary<string, string> { ["X"] = "y" };
        var (recipes, slowest) = (0, 0.0);
        for (var seed = int.Parse(arguments[1], CultureInfo.InvariantCulture); seed < int.Parse(arguments[2], CultureInfo.InvariantCulture); seed++)
        {
            var text = RecipeMutator.Mutate(SampleRecipe.Text, seed);
            var started = Stopwatch.GetTimestamp();
            try
            {
                RecipeFile.Parse(path, text, SampleCatalog.All, properties);
                recipes++;
            }
            catch (DiagnosticException e) when (e.Diagnostics.Count > 0)
            {
                // what a broken recipe must end in
            }
            catch (Exception e)
            {
                Console.WriteLine($"seed {seed}: {e.GetType().Name} {e.Message.ReplaceLineEndings(" ")} {e.StackTrace?.Split('\n')[0]}");
            }

            slowest = Math.Max(slowest, Stopwatch.GetElapsedTime(started).TotalSeconds);
        }

        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{recipes} {slowest}"));
    }
}
