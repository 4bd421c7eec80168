using Build.ML.Graph.Diagnostics;

namespace Build.ML.Recipes.Tests;

/// <summary>A folder with the files that the sample recipes name.</summary>
sealed class RecipeFolder : IDisposable
{
    readonly TemporaryFolder _folder = new();

    internal RecipeFolder() => SampleRecipe.WriteFiles(_folder.FullPath);

    internal const string Name = SampleRecipe.FileName;

    internal const string Example = SampleRecipe.Text;

    internal string Path => System.IO.Path.Combine(_folder.FullPath, Name);

    internal string PathOf(string relative) => System.IO.Path.Combine(_folder.FullPath, relative);

    internal void Write(string relative, string text) => _folder.Write(relative, text);

    internal Recipe Parse(string text, IReadOnlyDictionary<string, string>? properties = null) =>
        RecipeFile.Parse(Path, text, SampleCatalog.All, properties);

    /// <summary>What is wrong with a recipe, as <c>(line,column) code message</c>; empty when nothing is.</summary>
    internal IReadOnlyList<string> Errors(string text, IReadOnlyDictionary<string, string>? properties = null)
    {
        try
        {
            Parse(text, properties);
            return [];
        }
        catch (DiagnosticException e)
        {
            return [.. e.Diagnostics.Select(d => $"{System.IO.Path.GetFileName(d.Location!.ToString())} {d.Code} {d.Message}")];
        }
    }

    /// <summary>A recipe with one pruning step of those options, in line 6.</summary>
    internal static string Pruning(string with) => $$"""
        model: models/rec.onnx
        data: { d: { reader: idx, images: data/images.idx } }
        steps:
        - id: a
          use: prune.channels
          with: {{with}}
        """;

    public void Dispose() => _folder.Dispose();
}
