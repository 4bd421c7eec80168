using System.Text.Json.Nodes;

namespace Build.ML.Cli.Tests;

public sealed class BuildCommandTests
{
    private const string Recipe = """
        recipe: net
        model: model.onnx
        steps:
          - id: sparse
            use: prune.magnitude
            with: { sparsity: 0.5 }
          - id: int8
            use: quantize.dynamic
        evaluate: { metrics: [size, parameters] }
        gates: [ size <= 0.5 * model.size ]
        outputs: { small.onnx: int8 }
        """;

    [Fact]
    public void The_starter_recipe_builds_as_it_is()
    {
        using var terminal = new Terminal();
        var init = terminal.Run("init", "model.onnx", "--json");
        Assert.Equal(terminal.PathOf("model.buildml.yaml"), (string)init.Result["recipe"]!);
        Assert.True(File.Exists(terminal.PathOf(".buildml/schema.json")));
        Assert.Equal(ExitCodes.Usage, terminal.Run("init", "model.onnx").Code); // never over a file of the user
        Assert.Equal(ExitCodes.Success, terminal.Run("init", "model.onnx", "--force").Code);

        var build = terminal.Run("build", "--cache", "cache", "--json");
        Assert.Equal((ExitCodes.Success, ""), (build.Code, build.Error));
        Assert.All(build.Result["outputs"]!.AsArray(), o => Assert.True(File.Exists((string)o!)));
    }

    [Fact]
    public void A_build_runs_once_and_is_up_to_date_then()
    {
        using var terminal = new Terminal();
        terminal.Write("net.buildml.yaml", Recipe);
        var first = terminal.Run("build", "--cache", "cache", "--json");
        Assert.Equal((ExitCodes.Success, ""), (first.Code, first.Error));
        var counts = first.Result["counts"]!;
        Assert.Equal(first.Result["items"]!.AsArray().Count, (int)counts["ran"]!);
        var size = first.Result["metrics"]!.AsArray().Single(m => (string)m!["model"]! == "int8")!["figures"]![0]!;
        Assert.Equal(new FileInfo((string)first.Result["outputs"]![0]!).Length, (long)size["value"]!);

        var second = terminal.Run("build", "--cache", "cache");
        Assert.Contains("Everything is up to date", second.Output);
        Directory.Delete(terminal.PathOf("obj"), recursive: true);
        var third = terminal.Run("build", "--cache", "cache", "--json").Result["counts"]!;
        Assert.Equal(5, (int)third["from_cache"]!); // two steps, three evaluations
        Assert.Equal(0, (int)third["failed"]!);
    }

    [Fact]
    public void Plan_and_explain_say_what_would_run_and_why()
    {
        using var terminal = new Terminal();
        terminal.Write("net.buildml.yaml", Recipe);
        Assert.All(Items("plan"), i => Assert.True((bool)i["would_run"]!));
        terminal.Run("build", "--cache", "cache");
        Assert.All(Items("plan"), i => Assert.False((bool)i["would_run"]!));

        terminal.Write("net.buildml.yaml", Recipe.Replace("sparsity: 0.5", "sparsity: 0.6", StringComparison.Ordinal));
        var changed = Items("explain").Where(i => (bool)i["would_run"]!).Select(i => (string)i["name"]!).ToList();
        Assert.Equal(["sparse", "int8", "sparse.evaluate", "int8.evaluate", "report", "out"], changed.OrderBy(n => changed.IndexOf(n)));
        var reason = Assert.Single(Assert.Single(Items("explain", "--step", "sparse"))["reasons"]!.AsArray());
        Assert.Equal("option sparsity: changed from 0.5 to 0.6", (string)reason!);
        Assert.Contains("  option sparsity: changed from 0.5 to 0.6", terminal.Run("explain", "--cache", "cache").Output);
        Assert.Equal(["BML8005"], terminal.Run("explain", "--cache", "cache", "--step", "spars", "--json").Codes);

        List<JsonNode> Items(params string[] command) =>
            [.. terminal.Run([.. command, "--cache", "cache", "--json"]).Result["items"]!.AsArray().Select(i => i!)];
    }

    [Fact]
    public void A_gate_that_does_not_hold_ends_with_1_and_leaves_a_page()
    {
        using var terminal = new Terminal();
        terminal.Write("net.buildml.yaml", Recipe.Replace("0.5 * model.size", "0.01 * model.size", StringComparison.Ordinal));
        var answer = terminal.Run("build", "--cache", "cache");
        Assert.Equal(ExitCodes.Failure, answer.Code);
        Assert.StartsWith("net.buildml.yaml(10,", answer.Error);
        Assert.Contains("error BML6001: Gate does not hold: size <= 0.01 * model.size: actual ", answer.Error);
        Assert.Contains("net/report: FAILED", answer.Output);
        Assert.Contains("1 of 1 gate failed", File.ReadAllText(terminal.PathOf("obj/buildml/net/report.failed.html")));
        Assert.False(Directory.Exists(terminal.PathOf("obj/buildml/net/out")));
    }

    [Fact]
    public void One_step_is_built_with_what_it_needs()
    {
        using var terminal = new Terminal();
        terminal.Write("net.buildml.yaml", Recipe);
        var items = terminal.Run("build", "--cache", "cache", "--step", "sparse", "--json").Result["items"]!.AsArray();
        Assert.Equal(["ran", "ran"], items.Where(i => (string)i!["name"]! is "model" or "sparse").Select(i => (string)i!["status"]!));
        Assert.False(Directory.Exists(terminal.PathOf("obj/buildml/net/int8")));
    }

    [Fact]
    public void Eval_measures_a_file_beside_the_source()
    {
        using var terminal = new Terminal();
        terminal.Write("net.buildml.yaml", Recipe);
        terminal.SaveModel("other.onnx", second: "Relu");
        var figures = terminal.Run("eval", "other.onnx", "--cache", "cache", "-m", "size", "--json").Result["figures"]!.AsArray();
        var size = Assert.Single(figures)!;
        Assert.Equal(new FileInfo(terminal.PathOf("other.onnx")).Length, (long)size["value"]!);
        Assert.Equal(new FileInfo(terminal.PathOf("model.onnx")).Length, (long)size["source_value"]!);
        Assert.Equal(["BML6005", "BML6007"], terminal.Run("eval", "other.onnx", "--cache", "cache", "--data", "none", "-m", "sise", "--json").Codes);
    }

    [Fact]
    public void The_cache_is_counted_emptied_and_checked()
    {
        using var terminal = new Terminal();
        terminal.Write("net.buildml.yaml", Recipe);
        terminal.Run("build", "--cache", "cache");
        var stats = terminal.Run("cache", "stats", "--cache", "cache", "--json").Result;
        Assert.Equal(5, (int)stats["artifacts"]!); // two steps, three evaluations
        Assert.Equal(ExitCodes.Success, terminal.Run("cache", "verify", "--cache", "cache").Code);

        var content = Directory.EnumerateFiles(terminal.PathOf("cache"), "*", SearchOption.AllDirectories)
            .Where(f => f.Contains($"{Path.DirectorySeparatorChar}cas{Path.DirectorySeparatorChar}", StringComparison.Ordinal)).MaxBy(f => new FileInfo(f).Length)!;
        File.SetAttributes(content, FileAttributes.Normal);
        using (var file = File.OpenWrite(content))
        {
            file.WriteByte(0xFF);
        }

        var verify = terminal.Run("cache", "verify", "--cache", "cache", "--json");
        Assert.Equal(ExitCodes.Failure, verify.Code);
        Assert.Contains("BML4001", verify.Codes);

        var gc = terminal.Run("cache", "gc", "--cache", "cache", "--limit", "0", "--json").Result;
        Assert.Equal(0, (long)gc["bytes"]!);
        Assert.Equal(0, (int)terminal.Run("cache", "stats", "--cache", "cache", "--json").Result["artifacts"]!);
    }
}
