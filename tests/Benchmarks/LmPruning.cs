using System.Globalization;
using Build.ML.Benchmarks.Frame;

namespace Build.ML.Benchmarks;

/// <summary>
/// A small Llama pruned by each method: perplexity on stories that no calibration saw. Calibrated on the first 128 stories (<c>--calibration N</c>), measured on the others (<c>--stories N</c>: on the
/// first N of them). <c>--only zeros</c> or <c>--only structured</c> runs one half.
/// </summary>
[Benchmark("lm-pruning")]
public sealed partial class LmPruning : IBenchmark
{
    /// <inheritdoc/>
    public string Summary =>
        "stories260K (--data FOLDER): Wanda and SparseGPT at 50 % and 2:4 beat magnitude; Newton scores with compensation beat L2 at equal heads and neurons; Minitron beats pruning alone";

    /// <inheritdoc/>
    public Outcome Run(BenchmarkContext context)
    {
        var data = Path.GetFullPath(Path.Combine(context.RequiredPath("data", "the folder of models and data"), "lm"));
        var halves = context.Option("only", "zeros,structured").Split(',');
        var stories = new Stories(
            context, data + "/stories260K.onnx", StorySets.Split(context, Path.Combine(data, "tinystories_300.json"), (int)context.Option("calibration", 128), (int)context.Option("stories", 0)));
        var conditions = new List<Condition>();
        if (halves.Contains("zeros"))
        {
            Zeros(stories, conditions);
        }

        if (halves.Contains("structured"))
        {
            Structured(stories, conditions);
        }

        // Each condition is a perplexity over the one that it has to be below.
        return new Outcome(conditions.Count == 0 ? 0 : conditions.Max(c => c.Value / c.Limit), 1, "x what is allowed, the worst") { Conditions = conditions };
    }

    /// <summary>Rows of LmPruning.Structured.cs.</summary>
    partial void Structured(Stories stories, List<Condition> conditions);

    /// <summary>The model, the sets of stories, and recipes over them.</summary>
    private sealed record Stories(BenchmarkContext Context, string Model, Dictionary<string, string> Sets)
    {
        /// <summary>A file of token windows to train on, or null.</summary>
        public string? Training { get; init; }

        /// <summary>Builds steps.</summary>
        /// <param name="name">Of the recipe.</param>
        /// <param name="steps">One <c>{ id: …, from: model, use: … }</c> each.</param>
        /// <returns>perplexity, size and gzip_size of <c>model</c> and each step.</returns>
        public RecipeRun.Figures Build(string name, IEnumerable<string> steps) => new RecipeRun(Context).Build(
            $$"""
            model: {{Model}}
            data:
              calibration: { reader: tokens, file: {{Sets["calibration"]}}, max_length: 512 }
              test: { reader: tokens, file: {{Sets["held-out"]}}, max_length: 512 }
              training: { reader: tokens, file: {{Training ?? Sets["calibration"]}} }
            steps:
            {{string.Join('\n', steps.Select(s => "  - " + s))}}
            evaluate: { data: test, metrics: [perplexity, size, gzip_size] }
            """,
            name);

        /// <summary>Writes a line of the table.</summary>
        public void Log(FormattableString line) => Context.Log(line.ToString(CultureInfo.InvariantCulture));
    }
}
