namespace Build.ML.Recipes.Tests;

/// <summary>A valid recipe and the files it names.</summary>
static class SampleRecipe
{
    internal const string FileName = "ocr.buildml.yaml";

    /// <summary>The design's example, with every top-level key.</summary>
    internal const string Text = """
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
        evaluate: { data: test, metrics: [{ use: accuracy, top: 5 }, size, latency] }
        gates:
          - accuracy >= model.accuracy - 0.01
          - size <= 0.3 * model.size
          - latency_p50 < slim.latency_p50
        outputs: { rec.int8.onnx: int8, dict.txt: dict.txt }
        """;

    /// <summary>Writes the recipe and every file it names.</summary>
    internal static void WriteFiles(string folder)
    {
        foreach (var file in new[] { "models/rec.onnx", "data/images.idx", "data/labels.idx", "dict.txt" })
        {
            var path = Path.Combine(folder, file);
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            File.WriteAllText(path, "x");
        }

        File.WriteAllText(Path.Combine(folder, FileName), Text);
    }
}
