using System.CommandLine;
using Build.ML.Engine;
using Build.ML.Graph.Diagnostics;
using Build.ML.Recipes;

namespace Build.ML.Cli.Running;

/// <summary>The arguments and options of every command that works on recipes.</summary>
internal sealed class EngineArguments
{
    private readonly Argument<string[]> _recipes = new("recipe")
    {
        Arity = ArgumentArity.ZeroOrMore,
        Description = $"Recipe files. Default: every *{RecipeFile.Extension} in the current folder.",
    };

    private readonly PluginArguments _plugins = new();

    private readonly CacheArguments _cache = new();

    private readonly Option<int?> _cores = new("--cores") { Description = "Cores that running steps share. Default: the machine's." };

    private readonly Option<string?> _work = new("--work")
    {
        Description = "Folder of the steps' results. Default: obj/buildml, as in a project, so that both find each other's results.",
    };

    private readonly Option<string[]> _properties = new("--property", "-p")
    {
        Description = "A value of ${Name} in recipes, as Name=Value. May be given several times.",
    };

    /// <summary>Adds all of them to a command.</summary>
    public void AddTo(Command command)
    {
        command.Add(_recipes);
        command.Add(_work);
        command.Add(_cores);
        command.Add(_properties);
        _cache.AddTo(command);
        _plugins.AddTo(command);
        _cores.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<int?>() is < 1)
            {
                result.AddError("Option '--cores' needs a number from 1.");
            }
        });
    }

    /// <summary>The recipes to work on, as full paths.</summary>
    /// <exception cref="DiagnosticException">BML8002: a file is missing, or none was named and the folder has none.</exception>
    public IReadOnlyList<string> Recipes(Invocation invocation)
    {
        var named = invocation.Get(_recipes)!;
        if (named.Length == 0)
        {
            var folder = invocation.Context.Folder;
            string[] found = [.. Directory.EnumerateFiles(folder, "*" + RecipeFile.Extension).Order(StringComparer.Ordinal)];
            return found.Length > 0 ? found : throw new DiagnosticException("BML8002",
                $"No recipe is named, and {folder} has no file *{RecipeFile.Extension}. Name one, or write one with 'buildml init'.");
        }

        string[] files = [.. named.Select(invocation.Context.FullPath).Distinct(StringComparer.Ordinal)];
        Diagnostic[] missing = [.. files.Where(f => !File.Exists(f)).Select(f => new Diagnostic("BML8002", "The recipe file does not exist.", new(f)))];
        return missing.Length == 0 ? files : throw new DiagnosticException(missing);
    }

    /// <summary>What the engine is made with.</summary>
    /// <exception cref="DiagnosticException">BML8004: every property that is not of the form Name=Value.</exception>
    public EngineOptions Options(Invocation invocation) => new()
    {
        CachePath = _cache.Path(invocation),
        WorkPath = invocation.Context.FullPath(invocation.Get(_work) ?? Path.Combine("obj", "buildml")),
        PluginPaths = _plugins.Paths(invocation),
        Cores = invocation.Get(_cores) ?? Environment.ProcessorCount,
        Properties = Properties(invocation.Get(_properties)!),
        TimeProvider = invocation.Context.TimeProvider,
    };

    private static Dictionary<string, string> Properties(string[] given)
    {
        var properties = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        var wrong = new List<Diagnostic>();
        foreach (var text in given)
        {
            var at = text.IndexOf('=', StringComparison.Ordinal);
            if (at > 0)
            {
                properties[text[..at]] = text[(at + 1)..];
            }
            else
            {
                wrong.Add(new("BML8004", $"'--property {text}' lacks a name or a value; expected '--property Name=Value'."));
            }
        }

        return wrong.Count == 0 ? properties : throw new DiagnosticException(wrong);
    }
}
