using System.Text.Json;
using System.Text.Json.Nodes;
using Build.ML.Graph;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;

namespace Build.ML.Cli.Tests;

/// <summary>A folder in which commands are typed, with a model whose weights are 256×256.</summary>
sealed class Terminal : IDisposable
{
    public const int Rows = 256;

    private readonly TemporaryFolder _folder = new();

    public Terminal() => SaveModel("model.onnx");

    public static string PluginFolder { get; } =
        Repository.PathOf("src", "Build.ML.Cli", "bin", Repository.Configuration, "net10.0", "plugins");

    public string Folder => _folder.FullPath;

    public string PathOf(string name) => _folder.PathOf(name);

    public string Write(string name, string text) => _folder.Write(name, text);

    /// <summary>Runs a command in this process; commands on recipes use a cache in the folder.</summary>
    public Answer Run(params string[] args) => Run(CancellationToken.None, args);

    public Answer Run(CancellationToken cancellation, params string[] args)
    {
        using var output = new StringWriter();
        using var error = new StringWriter();
        var context = new CliContext { Output = output, Error = error, Folder = Folder, PluginFolder = PluginFolder };
        var code = CommandLine.Run(args, context, cancellation);
        return new(code, output.ToString(), error.ToString());
    }

    /// <summary>y = x·W; W[i, j] = sin(i + 256 j), W[0, 0] shifted by <paramref name="shift"/>.</summary>
    public string SaveModel(string name, float shift = 0, string second = "")
    {
        var graph = new OnnxGraph("linear");
        var x = graph.AddInput("x", new TensorType(DataType.Float, new Shape([new Dimension("batch"), Rows])));
        var values = Enumerable.Range(0, Rows * Rows).Select(i => MathF.Sin(i)).ToArray();
        values[0] += shift;
        var y = graph.Add("MatMul", [x, graph.AddInitializer("w", Tensor.Of(values, Rows, Rows))], "h");
        if (second.Length > 0)
        {
            y = graph.Add(second, [y], "extra");
        }

        y.Type = new TensorType(DataType.Float, new Shape([new Dimension("batch"), Rows]));
        graph.AddOutput(y);
        using var model = new Model(graph);
        model.Save(PathOf(name));
        return PathOf(name);
    }

    public void Dispose() => _folder.Dispose();
}

/// <summary>What a command answered.</summary>
sealed record Answer(int Code, string Output, string Error)
{
    /// <summary>The one document on the output.</summary>
    public JsonNode Json => JsonNode.Parse(Output, documentOptions: new JsonDocumentOptions())!;

    public JsonNode Result => Json["result"]!;

    public IEnumerable<string> Codes => Json["diagnostics"]!.AsArray().Select(d => (string)d!["code"]!);
}
