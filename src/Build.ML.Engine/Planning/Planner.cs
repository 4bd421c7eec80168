using System.Collections.Immutable;
using Build.ML.Caching.Files;
using Build.ML.Caching.Fingerprints;
using Build.ML.Engine.Work;
using Build.ML.Graph.Diagnostics;
using Build.ML.Recipes;

namespace Build.ML.Engine.Planning;

/// <summary>Recipes to work items.</summary>
internal sealed class Planner(EngineServices services, EngineOptions options, FileHashCache hashes)
{
    public Plan Plan(IReadOnlyList<string> recipeFiles, CancellationToken cancellation)
    {
        var files = new PlanFiles(hashes, cancellation);
        var recipes = Parse(recipeFiles, cancellation);
        foreach (var file in services.PluginFiles.Concat(recipes.SelectMany(r => r.Files)))
        {
            files.HashOf(file);
        }

        var items = recipes.SelectMany(r => Items(r, files)).ToImmutableArray();
        return new Plan(items, files.Inputs);
    }

    private List<Recipe> Parse(IReadOnlyList<string> recipeFiles, CancellationToken cancellation)
    {
        var recipes = new List<Recipe>();
        var errors = new List<Diagnostic>();
        foreach (var file in recipeFiles)
        {
            cancellation.ThrowIfCancellationRequested();
            try
            {
                var recipe = RecipeFile.Parse(file, null, services.Catalogs, options.Properties);
                // Without regard to case: the name is a folder's name.
                if (recipes.Find(r => string.Equals(r.Name, recipe.Name, StringComparison.OrdinalIgnoreCase)) is { } other)
                {
                    errors.Add(new("BML5001", $"The recipe is named '{recipe.Name}' as is {other.File}; rename one of them with 'recipe:'.", new(file, 1, 1)));
                }

                recipes.Add(recipe);
            }
            catch (DiagnosticException e)
            {
                errors.AddRange(e.Diagnostics);
            }
        }

        return errors.Count == 0 ? recipes : throw new DiagnosticException(errors);
    }

    private IEnumerable<WorkItem> Items(Recipe recipe, PlanFiles files)
    {
        var definitions = new Definitions(services, recipe, files);
        var items = new RecipeItems(recipe, options.WorkPath);
        yield return Source(recipe, items, definitions, files);
        foreach (var step in InOrder(recipe.Steps))
        {
            var work = new StepWork(step, definitions.DataOf(step), definitions.GateMetrics(step));
            yield return items.Create(step.Id, WorkItemKind.Step, work, work.GateMetrics.IsEmpty ? step.Needs : [.. step.Needs.Union([Recipe.SourceModel])],
                definitions.OfStep(step), [StepWork.ModelFile, StepWork.ReportFile]);
        }

        ImmutableArray<string> evaluations = [];
        if (recipe.Evaluate is { } evaluate)
        {
            var definition = definitions.OfEvaluation(evaluate).Build();
            foreach (var model in evaluate.Steps.Insert(0, Recipe.SourceModel))
            {
                var measuring = new EvaluateWork(model, evaluate);
                yield return items.Create(measuring.Name, WorkItemKind.Evaluate, measuring, model == Recipe.SourceModel ? [model] : [model, Recipe.SourceModel],
                    new FingerprintBuilder().Add(definition.Entries), [EvaluateWork.FileName]);
                evaluations = evaluations.Add(measuring.Name);
            }

            var report = new ReportWork(evaluate, [.. recipe.Steps.Select(s => s.Id)]);
            yield return items.Create(ReportWork.Name, WorkItemKind.Report, report, [.. evaluations, .. report.StepIds],
                report.AddTo(definitions.Begin(), recipe), [ReportWork.TextFile, ReportWork.MarkdownFile, ReportWork.PageFile]);
        }

        if (!recipe.Outputs.IsEmpty)
        {
            var output = new OutputWork(recipe.Outputs);
            yield return items.Create(OutputWork.Name, WorkItemKind.Output, output, output.Needs(recipe, evaluations),
                output.AddTo(definitions.Begin(), files), output.FileNames());
        }
    }

    private static WorkItem Source(Recipe recipe, RecipeItems items, Definitions definitions, PlanFiles files)
    {
        if (recipe.Model.Architecture is { } architecture)
        {
            return items.Create(Recipe.SourceModel, WorkItemKind.Source, new ArchitectureWork(architecture), [], definitions.OfArchitecture(architecture), [StepWork.ModelFile]);
        }

        var source = new SourceWork(SourceFiles.Of(recipe.Model, files));
        return items.Create(Recipe.SourceModel, WorkItemKind.Source, source, [], source.AddTo(definitions.Begin()), [SourceWork.FileName]);
    }

    // Steps may be written in any order; the parser has made sure that they form no cycle.
    private static List<Step> InOrder(ImmutableArray<Step> steps)
    {
        var done = new HashSet<string>(StringComparer.Ordinal) { Recipe.SourceModel };
        var order = new List<Step>(steps.Length);
        var byId = steps.ToDictionary(s => s.Id, StringComparer.Ordinal);
        var pending = new Stack<Step>(steps.Reverse());
        while (pending.TryPop(out var step))
        {
            if (done.Contains(step.Id))
            {
                continue;
            }

            var missing = step.Needs.Where(n => !done.Contains(n)).ToList();
            if (missing.Count == 0)
            {
                done.Add(step.Id);
                order.Add(step);
                continue;
            }

            pending.Push(step);
            missing.ForEach(m => pending.Push(byId[m]));
        }

        return order;
    }
}
