using System.Globalization;
using System.Text;
using Build.ML.Abstractions.Techniques;
using Build.ML.Engine;
using Build.ML.Graph;
using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;
using Build.ML.Plugins;

namespace Build.ML.Benchmarks.Frame;

/// <summary>A folder with a small model and a recipe of many steps, and engines that build it with the built-in plugins.</summary>
internal static class BuildSample
{
    private const int Width = 256;

    public const string OutputName = "small.onnx";

    public static string RecipePath(string folder) => Path.Combine(folder, "sample.buildml.yaml");

    public static string WorkPath(string folder) => Path.Combine(folder, "obj");

    public static string OutputPath(string folder) => Path.Combine(WorkPath(folder), "sample", "out", OutputName);

    /// <summary>Writes model and recipe.</summary>
    /// <param name="folder">An existing folder.</param>
    /// <param name="steps">Number of steps, one after the other.</param>
    /// <param name="sparsity">Of the first step; the others go from there to 0.95.</param>
    public static void Write(string folder, int steps, double sparsity)
    {
        var graph = new OnnxGraph("sample");
        var x = graph.AddInput("x", new TensorType(DataType.Float, new Shape(new Dimension("n"), Width)));
        var random = new Random(1);
        var weights = new float[Width * Width];
        for (var i = 0; i < weights.Length; i++)
        {
            weights[i] = random.NextSingle() - 0.5f;
        }

        var y = graph.Add("MatMul", [x, graph.AddInitializer("w", Tensor.Of(weights, Width, Width))], "y");
        y.Type = new TensorType(DataType.Float, new Shape(new Dimension("n"), Width));
        graph.AddOutput(y);
        using var model = new Model(graph);
        model.Save(Path.Combine(folder, "model.onnx"));
        WriteRecipe(folder, steps, sparsity);
    }

    /// <summary>Writes the recipe only.</summary>
    public static void WriteRecipe(string folder, int steps, double sparsity)
    {
        var text = new StringBuilder("recipe: sample\nmodel: model.onnx\nsteps:\n");
        for (var i = 0; i < steps; i++)
        {
            var value = sparsity + ((0.95 - sparsity) * i / steps);
            text.Append(CultureInfo.InvariantCulture, $"  - {{ id: s{i}, use: prune.magnitude, with: {{ sparsity: {value:0.######} }} }}\n");
        }

        text.Append(CultureInfo.InvariantCulture, $"outputs: {{ {OutputName}: s{steps - 1} }}\n");
        File.WriteAllText(RecipePath(folder), text.ToString());
    }

    /// <summary>An engine for the folder, with its cache in it.</summary>
    public static BuildEngine CreateEngine(string folder) => new(new EngineOptions
    {
        CachePath = Path.Combine(folder, "cache"),
        WorkPath = WorkPath(folder),
        PluginPaths = [.. PluginSet.Find(Path.Combine(AppContext.BaseDirectory, "plugins"))],
    });

    /// <summary>Builds the recipe.</summary>
    /// <exception cref="InvalidOperationException">The build failed.</exception>
    public static BuildOutcome Build(string folder)
    {
        using var engine = CreateEngine(folder);
        var outcome = engine.RunAll(engine.Plan([RecipePath(folder)]), new Silent());
        return outcome.Succeeded
            ? outcome
            : throw new InvalidOperationException(string.Join('\n', outcome.Items.SelectMany(i => i.Diagnostics)));
    }

    private sealed class Silent : IBuildObserver
    {
        public void ItemStarted(WorkItem item)
        {
        }

        public void ItemProgress(WorkItem item, StepProgress progress, TimeSpan? remaining)
        {
        }

        public void ItemFinished(WorkItem item, ItemOutcome outcome)
        {
        }

        public void Report(WorkItem item, Diagnostic diagnostic)
        {
        }

        public void Text(WorkItem item, string line)
        {
        }
    }
}
