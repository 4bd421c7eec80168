using System.Collections.Immutable;
using Build.ML.Abstractions.Data;
using Build.ML.Graph;
using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Tensors;
using Build.ML.Metrics.Outputs;

namespace Build.ML.Metrics.Text;

/// <summary>Pairs the texts that a model reads with the labels.</summary>
/// <param name="options">How to decode.</param>
/// <param name="metric">Name of the metric, for messages.</param>
internal sealed class TextAnswers(TextOptions options, string metric)
{
    private ITextDecoder? _decoder;

    /// <summary>Expected and actual text of each sample, spaces taken out where the options say so.</summary>
    public IEnumerable<(string Expected, string Actual)> Of(Batch batch, ImmutableArray<Tensor> outputs)
    {
        var output = OutputScores.Select(outputs, options.Output);
        _decoder ??= output.Type == DataType.String ? new StringDecoder() : CtcGreedyDecoder.Of(options);
        var texts = _decoder.Decode(output);
        if (texts.Count != batch.Count)
        {
            throw new DiagnosticException(
                "BML6102", $"The output gives {texts.Count} texts for {batch.Count} samples; expected one a sample. Choose another with 'output'.");
        }

        for (var i = 0; i < texts.Count; i++)
        {
            yield return (Prepare(Labels.TextOf(batch.Labels[i], metric)), Prepare(texts[i]));
        }
    }

    private string Prepare(string text) => options.IgnoreSpaces ? text.Replace(" ", "", StringComparison.Ordinal) : text;
}
