using Build.ML.Abstractions.Techniques;
using Build.ML.Engine;
using Build.ML.Engine.Evaluation;
using Build.ML.Graph.Diagnostics;
using Build.ML.Plugins;

namespace Build.ML.Benchmarks.Frame;

/// <summary>A recipe built with the built-in plugins as a user would, and the figures of its models.</summary>
/// <param name="context">Folder; option <c>--cache</c> keeps results between runs.</param>
internal sealed class RecipeRun(BenchmarkContext context)
{
    /// <summary>Builds a recipe with <c>evaluate:</c> and no gates. Paths in it are absolute.</summary>
    /// <param name="recipe">The recipe's text; its name is its file's.</param>
    /// <param name="name">Name of the recipe.</param>
    /// <exception cref="InvalidOperationException">The build failed; with its diagnostics.</exception>
    public Figures Build(string recipe, string name)
    {
        var file = Path.Combine(context.Folder, name + ".buildml.yaml");
        File.WriteAllText(file, recipe);
        var work = Path.Combine(context.Folder, "obj");
        using var engine = new BuildEngine(new EngineOptions
        {
            CachePath = context.Option("cache", Path.Combine(context.Folder, "cache")),
            WorkPath = work,
            PluginPaths = [.. PluginSet.Find(Path.Combine(AppContext.BaseDirectory, "plugins"))],
        });
        var outcome = engine.RunAll(engine.Plan([file]), new Observer(context));
        return outcome.Succeeded
            ? new(Path.Combine(work, name))
            : throw new InvalidOperationException(string.Join('\n', outcome.Items.SelectMany(i => i.Diagnostics)));
    }

    /// <summary>What a build measured.</summary>
    /// <param name="folder">The recipe's item folders.</param>
    public sealed class Figures(string folder)
    {
        /// <summary>A figure of a model: <c>model</c> or a step's id.</summary>
        public double this[string model, string metric] =>
            MetricsFile.Read(Path.Combine(folder, model + ".evaluate", "metrics.json")).First(m => m.Value.Name == metric).Value.Value;

        /// <summary>A step's model file.</summary>
        public string ModelOf(string step) => Path.Combine(folder, step, "model.onnx");

        /// <summary>What a step said about its layers.</summary>
        public IReadOnlyList<LayerOutcome> LayersOf(string step) => Engine.Work.StepReport.Read(Path.Combine(folder, step)).Layers;
    }

    private sealed class Observer(BenchmarkContext context) : IBuildObserver
    {
        public void ItemStarted(WorkItem item)
        {
        }

        public void ItemProgress(WorkItem item, StepProgress progress, TimeSpan? remaining)
        {
        }

        public void ItemFinished(WorkItem item, ItemOutcome outcome) => context.Log($"  {item.Id}: {outcome.Status}, {outcome.Duration.TotalSeconds:0.0} s");

        public void Report(WorkItem item, Diagnostic diagnostic) => context.Log(diagnostic.ToString());

        public void Text(WorkItem item, string line)
        {
        }
    }
}
