using System.Collections.Immutable;
using Build.ML.Abstractions;
using Build.ML.Abstractions.Inference;
using Build.ML.Abstractions.Techniques;
using Build.ML.Graph;
using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;
using Build.ML.OnnxRuntime;

namespace Build.ML.Engine.Tests;

/// <summary>A checkout with a recipe, a model and data, and engines that build it.</summary>
sealed class Workspace : IDisposable
{
    public const string Recipe = """
        recipe: net
        model: model.onnx
        data:
          calibration: { reader: test_lines, file: calibration.txt }
          test: { reader: test_lines, file: test.txt, limit: 3 }
        steps:
          - id: scaled
            use: test.scale
            with: { factor: 2 }
          - id: clipped
            use: test.clip
            with: { maximum: 17 }
          - id: calibrated
            use: test.calibrate
            with: { data: calibration }
        evaluate: { data: test, metrics: [test_accuracy, test_size] }
        gates:
          - test_size <= 2 * model.test_size
        outputs: { net.small.onnx: calibrated }
        """;

    private static readonly CatalogSet Catalogs = CatalogSet.Scan(typeof(Scale).Assembly);
    private readonly TemporaryFolder _folder;

    public Workspace(string recipe = Recipe)
    {
        _folder = new TemporaryFolder();
        Root = Directory.CreateDirectory(_folder.PathOf("checkout")).FullName;
        Cache = _folder.PathOf("cache");
        Write("net.buildml.yaml", recipe);
        Write("calibration.txt", "1 2 3 4 0\n0 0 0 4 1\n");
        Write("test.txt", "1 0 0 0 0\n0 1 0 0 1\n0 0 1 0 0\n9 9 9 9 1\n");
        using var model = Linear();
        model.Save(Path.Combine(Root, "model.onnx"));
    }

    public string Root { get; private set; }

    public string Cache { get; set; }

    /// <summary>Hash that stands for the test assembly: another one is another build of it.</summary>
    public string PluginHash { get; set; } = new('a', 64);

    /// <summary>The same for the assembly of components.</summary>
    public string ComponentHash { get; set; } = new('b', 64);

    public string Runtime { get; set; } = "";

    public string Engine { get; set; } = "engine 1";

    public int Cores { get; set; } = 2;

    public string RecipePath => Path.Combine(Root, "net.buildml.yaml");

    public string Work => Path.Combine(Root, "obj", "buildml");

    public Recorder Observer { get; private set; } = new();

    public void Dispose() => _folder.Dispose();

    public string Write(string name, string text)
    {
        File.WriteAllText(Path.Combine(Root, name), text);
        return Path.Combine(Root, name);
    }

    public void EditRecipe(string old, string replacement)
    {
        var text = File.ReadAllText(RecipePath);
        Assert.Contains(old, text);
        File.WriteAllText(RecipePath, text.Replace(old, replacement));
    }

    public void MoveTo(string name, bool withWork)
    {
        var target = _folder.PathOf(name);
        Directory.Move(Root, target);
        Root = target;
        if (!withWork)
        {
            Clean();
        }
    }

    public void Clean() => Directory.Delete(Path.Combine(Root, "obj"), recursive: true);

    public BuildEngine CreateEngine() => new(
        new EngineOptions { CachePath = Cache, WorkPath = Work, Cores = Cores },
        options => new EngineServices(
            Catalogs, type => Catalogs.Components.Kinds.Any(k => k.Value.Any(m => m.Type == type)) ? ComponentHash : PluginHash, [], [KeyValuePair.Create("Tests", "1.0")],
            new NamedInference(new OnnxRuntimeInference(), Runtime), EngineServices.OpenStore(options))
        { EngineIdentity = Engine });

    /// <summary>Builds with a new engine, as a new process would.</summary>
    public BuildOutcome Build(CancellationToken cancellation = default)
    {
        Observer = new Recorder();
        using var engine = CreateEngine();
        return engine.RunAll(engine.Plan([RecipePath], cancellation), Observer, cancellation: cancellation);
    }

    /// <summary>Builds and says which items ended how: <c>scaled calibrated</c>, without the recipe's name.</summary>
    public string Names(ItemStatus status) =>
        string.Join(' ', Build().Items.Where(i => i.Status == status).Select(i => i.ItemId[(i.ItemId.IndexOf('/') + 1)..]));

    public byte[] Output(string name = "net.small.onnx") => File.ReadAllBytes(Path.Combine(Work, "net", "out", name));

    /// <summary>y = x · W, W 4×2.</summary>
    public static Model Linear()
    {
        var graph = new OnnxGraph("linear");
        var x = graph.AddInput("x", new TensorType(DataType.Float, new Shape([new Dimension("batch"), 4])));
        var w = graph.AddInitializer("w", Tensor.Of<float>([1, 2, 3, 4, 5, 6, 7, 9], 4, 2));
        var y = graph.Add("MatMul", [x, w], "y");
        y.Type = new TensorType(DataType.Float, new Shape([new Dimension("batch"), 2]));
        graph.AddOutput(y);
        return new Model(graph);
    }

    private sealed class NamedInference(IInference inner, string suffix) : IInference
    {
        public string Runtime => inner.Runtime + suffix;

        public IInferenceSession Open(Model model, InferenceOptions? options = null) => inner.Open(model, options);

        public IBoundSession Bind(Model model, IReadOnlyDictionary<string, TensorBuffer> buffers, InferenceOptions? options = null) =>
            inner.Bind(model, buffers, options);
    }
}

/// <summary>Keeps what an engine says; may be read while items run.</summary>
sealed class Recorder : IBuildObserver
{
    private ImmutableList<string> _started = [];
    private ImmutableList<string> _finished = [];
    private ImmutableList<Diagnostic> _diagnostics = [];
    private ImmutableList<string> _lines = [];
    private ImmutableList<(StepProgress Progress, TimeSpan? Remaining)> _progress = [];

    public ImmutableList<string> Started => _started;

    public ImmutableList<string> Finished => _finished;

    public ImmutableList<Diagnostic> Diagnostics => _diagnostics;

    public ImmutableList<string> Lines => _lines;

    public ImmutableList<(StepProgress Progress, TimeSpan? Remaining)> Progress => _progress;

    public void ItemStarted(WorkItem item) => Keep(ref _started, item.Name);

    public void ItemProgress(WorkItem item, StepProgress progress, TimeSpan? remaining) => Keep(ref _progress, (progress, remaining));

    public void ItemFinished(WorkItem item, ItemOutcome outcome) => Keep(ref _finished, item.Name);

    public void Report(WorkItem item, Diagnostic diagnostic) => Keep(ref _diagnostics, diagnostic);

    public void Text(WorkItem item, string line) => Keep(ref _lines, line);

    private static void Keep<T>(ref ImmutableList<T> kept, T said) => ImmutableInterlocked.Update(ref kept, static (list, one) => list.Add(one), said);
}
