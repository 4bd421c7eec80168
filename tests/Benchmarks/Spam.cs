using System.Globalization;
using Build.ML.Benchmarks.Frame;
using Build.ML.TestSupport;

namespace Build.ML.Benchmarks;

/// <summary>
/// The recipe of <c>examples/SpamFilter</c> on more mails: a pre-trained encoder with a linear head, fine-tuned in full and by LoRA; share of mails told right of 1,000 that no
/// step sees. One mail more or less is 0.1 points and one seed's luck half a point, hence the means. Rank and epochs were chosen on a tenth of the mails to learn from.
/// </summary>
[Benchmark("spam")]
public sealed class Spam : IBenchmark
{
    private const string ExampleLimit = "limit: 1000                       # mails to learn from";

    /// <inheritdoc/>
    public string Summary =>
        "sentence encoder as spam filter (npm): full fine-tuning and LoRA beat a head alone, LoRA within 0.5 points of full, means over seeds (--mails N, --seeds N)";

    /// <inheritdoc/>
    public Outcome Run(BenchmarkContext context)
    {
        var seeds = (int)context.Option("seeds", 3);
        string[] steps = ["head", "full", "lora"];
        // Read at once: the next seed's build goes to the same folder.
        var runs = Enumerable.Range(1, seeds).Select(seed =>
        {
            var figures = new RecipeRun(context).Build(Recipe(context.Option("mails", "2000"), seed), "spam");
            return steps.ToDictionary(step => step, step => 100 * figures[step, "accuracy"]);
        }).ToArray();
        double Accuracy(string step) => runs.Average(r => r[step]);
        // Better than the head by a mail of one seed at least.
        Condition[] conditions =
        [
            new("head over full", Accuracy("head") - Accuracy("full"), -0.03, "points"),
            new("head over lora", Accuracy("head") - Accuracy("lora"), -0.03, "points"),
            new("full over lora", Accuracy("full") - Accuracy("lora"), 0.5, "points"),
        ];
        var details = steps.Select(step => new Measured(step, Accuracy(step), runs.Min(r => r[step]), runs.Max(r => r[step]), $"% right, mean of {seeds}")).ToList();
        return new Outcome(conditions[2].Value, 0.5, "points") { Conditions = conditions, Details = details };
    }

    // The example's recipe as far as its adapters, on other mails and without gates.
    private static string Recipe(string mails, int seed)
    {
        var text = File.ReadAllText(Repository.PathOf("examples", "SpamFilter", "spam.buildml.yaml"));
        var student = text.IndexOf("\n  - id: student", StringComparison.Ordinal);
        return student < 0 || !text.Contains(ExampleLimit, StringComparison.Ordinal)
            ? throw new InvalidOperationException($"The example's recipe has no '{ExampleLimit}' or no step 'student'; this benchmark changes them.")
            : text[..student].Replace(ExampleLimit, "limit: " + mails, StringComparison.Ordinal)
                .Replace("\nseed: 1\n", string.Create(CultureInfo.InvariantCulture, $"\nseed: {seed}\n"), StringComparison.Ordinal)
            + "\nevaluate: { data: test, metrics: [accuracy, size], steps: [head, full, lora] }\n";
    }
}
