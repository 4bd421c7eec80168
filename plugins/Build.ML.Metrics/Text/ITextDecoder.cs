using Build.ML.Graph.Tensors;

namespace Build.ML.Metrics.Text;

/// <summary>Turns one output of a model into a text for each sample.</summary>
internal interface ITextDecoder
{
    /// <summary>The texts.</summary>
    /// <exception cref="Graph.Diagnostics.DiagnosticException">BML6104: the output is not what the decoder takes.</exception>
    IReadOnlyList<string> Decode(Tensor output);
}
