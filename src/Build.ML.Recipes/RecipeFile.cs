using Build.ML.Abstractions;
using Build.ML.Graph.Diagnostics;
using Build.ML.Recipes.Yaml;

namespace Build.ML.Recipes;

/// <summary>Reads recipe files.</summary>
public static class RecipeFile
{
    /// <summary>What recipe files are called.</summary>
    public const string Extension = ".buildml.yaml";

    /// <summary>Reads and checks a recipe.</summary>
    /// <param name="path">The file, as the user knows it: diagnostics name it so.</param>
    /// <param name="text">Its content; null reads the file.</param>
    /// <param name="catalogs">What the recipe can name.</param>
    /// <param name="properties">Values of <c>${Name}</c>; null for none. Names are looked up without regard to case, as MSBuild does.</param>
    /// <exception cref="DiagnosticException">Every violation, BML1001 to BML1099, in the order of the file.</exception>
    public static Recipe Parse(string path, string? text, CatalogSet catalogs, IReadOnlyDictionary<string, string>? properties = null)
    {
        var violations = new Violations();
        var expander = new PropertyExpander(properties, violations);
        var loader = new RecipeLoader(violations, expander);
        var top = loader.Load(path, text);
        var recipe = top is null ? null : new RecipeReader(catalogs, violations, loader).Read(top, expander);
        return recipe ?? throw violations.ToException([.. loader.Files.Select(f => f.Display)]);
    }
}
