using System.CommandLine;
using Build.ML.Cli.Output;
using Build.ML.Cli.Running;
using Build.ML.Graph;
using Build.ML.Graph.Diagnostics;
using Build.ML.Plugins;
using Build.ML.Recipes;
using Build.ML.Recipes.Schema;
using Spectre.Console;

namespace Build.ML.Cli.Commands;

/// <summary>Writes a first recipe.</summary>
[Command("init")]
public sealed class InitCommand : ICliCommand
{
    private const string DefaultModel = "model.onnx";

    private readonly PluginArguments _plugins = new();

    private readonly Argument<string?> _model = new("model")
    {
        Arity = ArgumentArity.ZeroOrOne,
        Description = $"The ONNX file to compress, as a path below the current folder. Default: {DefaultModel}.",
    };

    private readonly Option<bool> _force = new("--force") { Description = "Replace a recipe that is there." };

    /// <inheritdoc/>
    public string Description => "Write a commented starter recipe and its schema for editors into the current folder.";

    /// <inheritdoc/>
    public void Define(Command command)
    {
        command.Add(_model);
        command.Add(_force);
        _plugins.AddTo(command);
    }

    /// <inheritdoc/>
    public int Run(Invocation invocation)
    {
        var folder = invocation.Context.Folder;
        var model = Path.GetRelativePath(folder, invocation.Context.FullPath(invocation.Get(_model) ?? DefaultModel)).Replace('\\', '/');
        var name = NameOf(model);
        var recipe = Path.Combine(folder, name + RecipeFile.Extension);
        if (File.Exists(recipe) && !invocation.Get(_force))
        {
            throw new DiagnosticException("BML8007", "The recipe is there already; '--force' replaces it.", new(recipe));
        }

        var schema = RecipeSchema.Generate(PluginSet.Load(_plugins.Paths(invocation)).Catalogs);
        TextFile.Write(recipe, StarterRecipe.Text(name, model, OpsetOf(Path.Combine(folder, model))));
        var schemaFile = TextFile.Write(Path.Combine(folder, ".buildml", "schema.json"), schema);
        invocation.Show(new Result(recipe, schemaFile), (result, console) => Render(result, console, File.Exists(Path.Combine(folder, model)), model));
        return ExitCodes.Success;
    }

    private static void Render(Result result, IAnsiConsole console, bool hasModel, string model)
    {
        console.WriteLine($"-> {result.Recipe}");
        console.WriteLine($"-> {result.Schema}");
        console.WriteLine();
        console.WriteLine(hasModel ? "Run it:            buildml build" : $"Put your model at   {model}, then run it: buildml build");
        console.WriteLine("As part of a build: add to your .csproj");
        console.WriteLine("""  <PackageReference Include="Build.ML" Version="*" PrivateAssets="all" />""");
        console.WriteLine($"Every *{RecipeFile.Extension} of the project is then built by 'dotnet build', and its outputs land in models/ of the output folder.");
    }

    private static long? OpsetOf(string file)
    {
        if (!File.Exists(file))
        {
            return null;
        }

        using var model = Model.Open(file);
        return model.Opset;
    }

    // A recipe's name names folders: letters, digits, '-' and '_'.
    private static string NameOf(string model)
    {
        var name = string.Concat(Path.GetFileNameWithoutExtension(model).Select(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '-' ? c : '-')).Trim('-');
        return name.Length == 0 ? "model" : name[..Math.Min(name.Length, 60)];
    }

    private sealed record Result(string Recipe, string Schema);
}
