using Build.ML.Caching.Fingerprints;
using Build.ML.Engine.Evaluation;
using Build.ML.Graph.Diagnostics;
using Build.ML.Recipes;

namespace Build.ML.Engine.Work;

/// <summary>Measures one model.</summary>
/// <param name="Model"><c>model</c> or a step's id.</param>
/// <param name="Evaluation">With what.</param>
internal sealed record EvaluateWork(string Model, Recipes.Evaluation Evaluation) : ItemWork
{
    public const string FileName = "metrics.json";

    public string Name => NameFor(Model);

    public static string NameFor(string model) => model + ".evaluate";

    public override SourceLocation? Location => Evaluation.Location;

    public override bool IsCached => true;

    public override bool RunsAlone(EngineServices services) =>
        Evaluation.Metrics.Any(m => services.Catalogs.Metrics.Find(m.Metric)!.Create().DependsOnMachine);

    public override bool IsContent(string name) => name == FileName;

    public override IEnumerable<FingerprintEntry> Inputs(Func<string, string> contentOf) =>
        [new("model", contentOf(Model)), new("source model", contentOf(Recipe.SourceModel))];

    public override void Execute(ItemContext context) =>
        MetricsFile.Write(Path.Combine(context.Output, FileName), new Evaluator(context, Evaluation).Run(Model));
}
