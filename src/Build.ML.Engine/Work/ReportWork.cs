using System.Collections.Immutable;
using System.Globalization;
using Build.ML.Caching.Fingerprints;
using Build.ML.Engine.Evaluation;
using Build.ML.Engine.Reporting;
using Build.ML.Graph.Diagnostics;
using Build.ML.Recipes;

namespace Build.ML.Engine.Work;

/// <summary>Shows what was gained, and fails where a gate does not hold.</summary>
/// <param name="Evaluation">What was measured.</param>
/// <param name="StepIds">All steps: what they have to say is in the report.</param>
internal sealed record ReportWork(Recipes.Evaluation Evaluation, ImmutableArray<string> StepIds) : ItemWork
{
    public const string Name = "report";
    public const string TextFile = "report.txt";
    public const string MarkdownFile = "report.md";

    public FingerprintBuilder AddTo(FingerprintBuilder builder, Recipe recipe)
    {
        builder.Add("recipe", recipe.Name).Add("models", string.Join(' ', Evaluation.Steps))
            .Add("last step", recipe.Steps[^1].Id)
            .Add("techniques", string.Join(' ', recipe.Steps.Select(s => $"{s.Id}={s.Technique}")));
        for (var i = 0; i < recipe.Gates.Length; i++)
        {
            builder.Add(string.Create(CultureInfo.InvariantCulture, $"gate {i + 1}"), recipe.Gates[i].Text);
        }

        return builder;
    }

    public override IEnumerable<FingerprintEntry> Inputs(Func<string, string> contentOf) =>
        Evaluation.Steps.Prepend(Recipe.SourceModel).Select(m => new FingerprintEntry($"evaluation of {m}", contentOf(EvaluateWork.NameFor(m))))
            .Concat(StepIds.Select(s => new FingerprintEntry($"step {s}", contentOf(s))));

    public override void Execute(ItemContext context)
    {
        var figures = new EvaluationSet(Evaluation.Steps.Prepend(Recipe.SourceModel).Select(model =>
            KeyValuePair.Create(model, MetricsFile.Read(Path.Combine(context.Sibling(EvaluateWork.NameFor(model)).Directory, EvaluateWork.FileName)))));
        var report = new RecipeReport(context.Recipe, figures, context.Recipe.Steps.ToDictionary(s => s.Id, s => StepReport.Read(context.Sibling(s.Id).Directory)));
        File.WriteAllText(Path.Combine(context.Output, TextFile), report.ToText());
        File.WriteAllText(Path.Combine(context.Output, MarkdownFile), report.ToMarkdown());
        Show(context, report.ToText());
        var failures = report.Gates.Where(g => g.Failure is not null).Select(g => g.Failure!).ToList();
        if (failures.Count > 0)
        {
            throw new DiagnosticException(failures);
        }
    }

    public override void Replay(ItemContext context) => Show(context, File.ReadAllText(Path.Combine(context.Item.Directory, TextFile)));

    private static void Show(ItemContext context, string text)
    {
        foreach (var line in text.TrimEnd('\n').Split('\n'))
        {
            context.Text(line);
        }
    }
}
