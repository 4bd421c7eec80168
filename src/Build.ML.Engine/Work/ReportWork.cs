using System.Collections.Immutable;
using System.Globalization;
using Build.ML.Caching.Files;
using Build.ML.Caching.Fingerprints;
using Build.ML.Caching.Stores;
using Build.ML.Engine.Evaluation;
using Build.ML.Engine.Reporting;
using Build.ML.Engine.Running;
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
    public const string PageFile = "report.html";

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
        var page = new ReportPage(report, context.Recipe.Steps.ToDictionary(s => s.Id, s => ModelsIn(context.Sibling(s.Id)))).Write();
        File.WriteAllText(Path.Combine(context.Output, PageFile), page);
        Show(context, report.ToText());
        var failures = report.Gates.Where(g => g.Failure is not null).Select(g => g.Failure!).ToList();
        if (failures.Count > 0)
        {
            // The last good report stays where it is; this one is for finding out why.
            DurableFile.Write(FailedPage(context.Item), page);
            context.Text($"page: {FailedPage(context.Item)}");
            throw new DiagnosticException(failures);
        }

        File.Delete(FailedPage(context.Item));
        ShowPage(context);
    }

    public override void Replay(ItemContext context)
    {
        Show(context, File.ReadAllText(Path.Combine(context.Item.Directory, TextFile)));
        ShowPage(context);
    }

    private static string FailedPage(WorkItem item) => item.Directory + ".failed.html";

    private static IReadOnlyList<StoredFile> ModelsIn(WorkItem step) =>
        [.. ItemRecord.Read(step.Directory)!.Files.Where(f => f.Name.StartsWith(StepWork.ModelFile, StringComparison.Ordinal))];

    private static void ShowPage(ItemContext context) => context.Text($"page: {Path.Combine(context.Item.Directory, PageFile)}");

    private static void Show(ItemContext context, string text)
    {
        foreach (var line in text.TrimEnd('\n').Split('\n'))
        {
            context.Text(line);
        }
    }
}
