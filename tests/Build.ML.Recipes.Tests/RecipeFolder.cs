using Build.ML.Graph.Diagnostics;

namespace Build.ML.Recipes.Tests;

/// <summary>A folder with the files that the sample recipes name.</summary>
sealed class RecipeFolder : IDisposable
{
    readonly TemporaryFolder _folder = new();

    internal RecipeFolder()
    {
        foreach (var file in new[] { "models/rec.onnx", "data/images.idx", "data/labels.idx", "dict.txt" })
            _folder.Write(file, "x");
    }

    internal const string Name = "ocr.buildml.yaml";

    /// <summary>The design's example, with every top-level key.</summary>
    internal const string Example = """
        recipe: ocr-edge
        model: models/rec.onnx
        seed: 7
        data:
          calibration: { reader: idx, images: data/images.idx, labels: data/labels.idx, limit: 200, skip: 5 }
          test: { reader: idx, images: data/images.idx }
        steps:
          - id: slim
            use: prune.channels
            with: { sparsity: 0.3, importance: taylor_first_order, data: calibration }
          - id: recover
            use: distill.logits
            with: { teacher: model, data: calibration }
            seed: 9
          - id: int8
            use: quantize.dynamic
            from: slim
        evaluate: { data: test, metrics: [accuracy, { use: accuracy, top: 5 }, size, latency] }
        gates:
          - accuracy >= model.accuracy - 0.01
          - size <= 0.3 * model.size
          - latency_p50 < slim.latency_p50
        outputs: { rec.int8.onnx: int8, dict.txt: dict.txt }
        """;

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
