using System.Text.Json.Nodes;

namespace Build.ML.Cli.Tests;

public sealed class ModelCommandTests
{
    [Fact]
    public void Inspect_tells_operators_weights_and_sizes()
    {
        using var terminal = new Terminal();
        var result = terminal.Run("inspect", "model.onnx", "--json").Result;
        Assert.Equal(new FileInfo(terminal.PathOf("model.onnx")).Length, (long)result["bytes"]!);
        Assert.Equal(Terminal.Rows * Terminal.Rows, (long)result["parameters"]!);
        Assert.Equal("MatMul", (string)result["operators"]![0]!["operator"]!);
        Assert.Equal(4L * Terminal.Rows * Terminal.Rows, (long)result["weights"]![0]!["bytes"]!);
        Assert.Equal("float[batch,256]", (string)result["inputs"]![0]!["type"]!);
        Assert.Equal("w", (string)result["largest"]![0]!["name"]!);
    }

    [Fact]
    public void Inspect_prints_the_graph_as_text()
    {
        using var terminal = new Terminal();
        Assert.Contains("h = MatMul(x, w)", terminal.Run("inspect", "model.onnx", "--text").Output);
        Assert.Contains("h = MatMul(x, w)", (string)terminal.Run("inspect", "model.onnx", "--text", "--json").Result["text"]!);
    }

    [Fact]
    public void Inspect_of_what_is_no_model_is_an_error_that_names_the_file()
    {
        using var terminal = new Terminal();
        terminal.Write("bad.onnx", "no model at all");
        var answer = terminal.Run("inspect", "bad.onnx");
        Assert.Equal((ExitCodes.Usage, ""), (answer.Code, answer.Output));
        Assert.StartsWith("bad.onnx: error BML20", answer.Error);
    }

    [Fact]
    public void A_model_does_not_differ_from_itself()
    {
        using var terminal = new Terminal();
        var result = terminal.Run("diff", "model.onnx", "model.onnx", "--json").Result;
        Assert.True((bool)result["are_equal"]!);
        Assert.Equal(1, (int)result["equal_weights"]!);
    }

    [Fact]
    public void Diff_measures_how_far_weights_moved()
    {
        using var terminal = new Terminal();
        terminal.SaveModel("moved.onnx", shift: 0.25f);
        var change = Assert.Single(terminal.Run("diff", "model.onnx", "moved.onnx", "--json").Result["weights"]!.AsArray())!;
        Assert.Equal(("changed", "w"), ((string)change["change"]!, (string)change["name"]!));
        // W[0, 0] = sin 0 = 0, so the difference is exactly the shift, and the norm that of sin(0) .. sin(65535).
        Assert.Equal(0.25, (double)change["max_abs_difference"]!);
        var norm = Math.Sqrt(Enumerable.Range(0, Terminal.Rows * Terminal.Rows).Sum(i => Math.Pow(MathF.Sin(i), 2)));
        Assert.Equal(0.25 / norm, (double)change["relative_error"]!, 1e-12);
    }

    [Fact]
    public void Diff_finds_added_nodes_and_changed_ones()
    {
        using var terminal = new Terminal();
        terminal.SaveModel("relu.onnx", second: "Relu");
        var result = terminal.Run("diff", "model.onnx", "relu.onnx", "--json").Result;
        var node = Assert.Single(result["nodes"]!.AsArray())!;
        Assert.Equal(("added", "extra", "Relu"), ((string)node["change"]!, (string)node["name"]!, (string)node["operator"]!));
        Assert.Equal(["h", "extra"], result["signature"]!.AsArray().Select(s => (string)s!["name"]!));

        terminal.SaveModel("tanh.onnx", second: "Tanh");
        var changed = Assert.Single(terminal.Run("diff", "relu.onnx", "tanh.onnx", "--json").Result["nodes"]!.AsArray())!;
        Assert.Equal("operator: Relu -> Tanh", (string)changed["details"]![0]!);
    }

    [Fact]
    public void Plugins_lists_every_built_in_one_and_the_schema_knows_their_techniques()
    {
        using var terminal = new Terminal();
        var plugins = terminal.Run("plugins", "--json").Result["plugins"]!.AsArray();
        Assert.Equal(
            Directory.EnumerateDirectories(Terminal.PluginFolder).Select(Path.GetFileName).Order(StringComparer.Ordinal),
            plugins.Select(p => (string)p!["name"]!));

        var printed = terminal.Run("schema");
        var schema = JsonNode.Parse(printed.Output)!.ToJsonString();
        var components = plugins.SelectMany(p => p!["components"]!.AsArray()).ToArray();
        var network = components.Single(c => (string?)c!["name"] == "mobilenet-v2")!;
        Assert.Equal("architecture", (string?)network["kind"]);
        Assert.Contains("width", network["options"]!.AsArray().Select(o => (string?)o));
        foreach (var component in components.Where(c => (string?)c!["kind"] == "architecture"))
        {
            Assert.Contains($"\"const\":\"{component!["name"]}\"", schema);
        }

        foreach (var technique in plugins.SelectMany(p => p!["techniques"]!.AsArray()))
        {
            Assert.Contains($"\"{technique}\"", schema);
        }

        Assert.Equal(ExitCodes.Success, terminal.Run("schema", "--output", "out/schema.json").Code);
        Assert.Equal(printed.Output, File.ReadAllText(terminal.PathOf("out/schema.json")));
    }

    [Fact]
    public void The_schema_describes_options_in_the_words_of_their_documentation()
    {
        using var terminal = new Terminal();
        Assert.Contains("Timed runs of each model", terminal.Run("schema").Output);
    }
}
