using Build.ML.Graph.Catalogs;

namespace Build.ML.Cli.Tests;

public sealed class CommandLineTests
{
    public static TheoryData<string> Commands() =>
        [.. Catalog<ICliCommand>.Scan(typeof(ICliCommand).Assembly).Where(e => !e.Create().IsGroup).Select(e => e.Name)];

    [Fact]
    public void Without_arguments_the_help_names_every_command()
    {
        using var terminal = new Terminal();
        var answer = terminal.Run();
        Assert.Equal(ExitCodes.Success, answer.Code);
        foreach (string row in Commands())
        {
            Assert.Contains(row.Split(' ')[0], answer.Output);
        }
    }

    [Theory]
    [MemberData(nameof(Commands))]
    public void A_wrong_option_is_a_usage_error_in_text_and_json(string command)
    {
        using var terminal = new Terminal();
        var text = terminal.Run([.. command.Split(' '), "--no-such-option"]);
        Assert.Equal((ExitCodes.Usage, ""), (text.Code, text.Output));
        Assert.Contains("error BML8001: ", text.Error);
        Assert.Contains("--no-such-option", text.Error);

        var json = terminal.Run([.. command.Split(' '), "--no-such-option", "--json"]);
        Assert.Equal((ExitCodes.Usage, ExitCodes.Usage), (json.Code, (int)json.Json["exit_code"]!));
        Assert.Equal(command, (string)json.Json["command"]!);
        Assert.Contains("BML8001", json.Codes);
        Assert.Null(json.Json["result"]);
    }

    [Fact]
    public void A_mistyped_command_is_reported_once_with_the_nearest_name()
    {
        using var terminal = new Terminal();
        var answer = terminal.Run("inspct", "model.onnx");
        Assert.Equal(ExitCodes.Usage, answer.Code);
        Assert.Equal("error BML8001: There is no command 'inspct'. Did you mean 'inspect'? See 'buildml --help'.", answer.Error.TrimEnd());
    }

    [Fact]
    public void A_bad_value_of_an_option_is_a_usage_error()
    {
        using var terminal = new Terminal();
        terminal.Run("init");
        Assert.Equal(ExitCodes.Usage, terminal.Run("build", "--cores", "0").Code);
        Assert.Equal(ExitCodes.Usage, terminal.Run("cache", "gc", "--limit", "much").Code);
        var properties = terminal.Run("plan", "-p", "Name", "-p", "=x", "--json");
        Assert.Equal(ExitCodes.Usage, properties.Code);
        Assert.Equal(["BML8004", "BML8004"], properties.Codes);
    }

    [Fact]
    public void Every_error_of_a_recipe_is_printed_at_its_place_below_the_folder()
    {
        using var terminal = new Terminal();
        terminal.Write("net.buildml.yaml", """
            model: model.onnx
            steps:
              - id: a
                use: quantize.dynamik
              - id: b
                use: prune.magnitude
                with: { sparsity: 2 }
            """);
        var answer = terminal.Run("build");
        Assert.Equal((ExitCodes.Usage, ""), (answer.Code, answer.Output));
        var lines = answer.Error.TrimEnd().Split(Environment.NewLine);
        Assert.Equal(2, lines.Length);
        Assert.StartsWith("net.buildml.yaml(4,10): error BML1", lines[0]);
        Assert.StartsWith("net.buildml.yaml(7,", lines[1]);

        var json = terminal.Run("build", "--json");
        var place = json.Json["diagnostics"]![0]!;
        Assert.Equal((terminal.PathOf("net.buildml.yaml"), 4, 10), ((string)place["file"]!, (int)place["line"]!, (int)place["column"]!));
    }

    [Fact]
    public void A_cancelled_command_ends_with_130()
    {
        using var terminal = new Terminal();
        terminal.Run("init");
        var answer = terminal.Run(new CancellationToken(canceled: true), "build", "--cache", "cache", "--json");
        Assert.Equal(ExitCodes.Interrupted, answer.Code);
        Assert.Contains("BML8003", answer.Codes);
    }

    [Fact]
    public void Redirected_output_has_no_escape_codes()
    {
        using var terminal = new Terminal();
        foreach (var answer in new[] { terminal.Run("inspect", "model.onnx"), terminal.Run("init"), terminal.Run("build", "--cache", "cache") })
        {
            Assert.Equal((ExitCodes.Success, ""), (answer.Code, answer.Error));
            Assert.DoesNotContain('\e', answer.Output);
        }
    }
}
