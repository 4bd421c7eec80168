namespace Build.ML.Cli.Output;

/// <summary>The recipe that <c>buildml init</c> writes.</summary>
internal static class StarterRecipe
{
    private const long QuantizationOpset = 13; // DequantizeLinear per channel

    /// <summary>A recipe that runs as it is, with comments on where to go from there.</summary>
    /// <param name="name">Name of the recipe.</param>
    /// <param name="model">Path of the model relative to the recipe.</param>
    /// <param name="opset">The model's operator set; null where it is not known.</param>
    public static string Text(string name, string model, long? opset) => $$"""
        # yaml-language-server: $schema=./.buildml/schema.json
        # A recipe of Build.ML: a model, the steps that shrink it, what is measured, and what must hold.
        # Run it with 'buildml build'. 'buildml plugins' lists techniques, readers and metrics; an editor with a YAML language
        # server completes and checks all keys from the schema named above ('buildml schema' writes it anew).
        recipe: {{name}}

        # A path relative to this file, or npm:package@1.2.3/path/in/it.onnx#sha256-...
        model: {{Quote(model)}}

        # Data to calibrate with and to measure on; keep the two apart.
        # data:
        #   calibration: { reader: image_folder, path: data/calibration, limit: 200 }
        #   test:        { reader: image_folder, path: data/test }

        # Each step works on the model of the step before; 'from: id' names another.
        steps:
          # The same function in fewer nodes.
          - id: slim
            use: optimize.graph{{(opset < QuantizationOpset ? $"\n    with: {{ opset: {QuantizationOpset} }} # quantization needs it; the model has {opset}" : "")}}

          # 8-bit weights; activations are quantized while the model runs, so no data is needed.
          - id: int8
            use: quantize.dynamic

          # With calibration data, usually faster on convolutions:
          # - id: int8-static
          #   use: quantize.static
          #   from: slim
          #   with: { data: calibration }

        # Taken of the source model and of each step, side by side in the report.
        evaluate:
          metrics: [size, gzip_size, parameters]
          # with labelled data:
          # data: test
          # metrics: [accuracy, size, latency, energy]

        # The build fails where one of these does not hold.
        gates:
          - size <= 0.9 * model.size
          # - accuracy >= model.accuracy - 0.01

        # File name: id of the step whose model it is.
        outputs:
          {{name}}.int8.onnx: int8

        """.ReplaceLineEndings("\n");

    // A plain YAML scalar where that is safe, else in single quotes.
    private static string Quote(string text) =>
        text.All(c => char.IsAsciiLetterOrDigit(c) || c is '/' or '.' or '_' or '-') ? text : $"'{text.Replace("'", "''", StringComparison.Ordinal)}'";
}
