using System.CommandLine;
using System.Text.Json.Nodes;
using Build.ML.Cli.Output;
using Build.ML.Cli.Running;
using Build.ML.Plugins;
using Build.ML.Recipes.Schema;
using Spectre.Console;

namespace Build.ML.Cli.Commands;

/// <summary>Writes the JSON Schema of recipes.</summary>
[Command("schema")]
public sealed class SchemaCommand : ICliCommand
{
    private readonly PluginArguments _plugins = new();
    private readonly Option<string?> _output = new("--output", "-o") { Description = "File to write. Default: print it." };

    /// <inheritdoc/>
    public string Description => "Write the JSON Schema of recipes, options of all loaded plugins included, so that editors complete and check.";

    /// <inheritdoc/>
    public void Define(Command command)
    {
        _plugins.AddTo(command);
        command.Add(_output);
    }

    /// <inheritdoc/>
    public int Run(Invocation invocation)
    {
        var schema = RecipeSchema.Generate(PluginSet.Load(_plugins.Paths(invocation)).Catalogs);
        if (invocation.Get(_output) is { } output)
        {
            var file = TextFile.Write(invocation.Context.FullPath(output), schema);
            invocation.Show(new Written(file), (written, console) => console.WriteLine($"-> {written.File}"));
        }
        else
        {
            // Not through the console, which would break lines at the width of the terminal.
            invocation.Show(JsonNode.Parse(schema)!, (_, _) => invocation.Context.Output.Write(schema));
        }

        return ExitCodes.Success;
    }

    private sealed record Written(string File);
}
