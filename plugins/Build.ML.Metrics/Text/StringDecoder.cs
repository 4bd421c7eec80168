using Build.ML.Graph.Tensors;

namespace Build.ML.Metrics.Text;

/// <summary>The texts of models that return strings themselves.</summary>
internal sealed class StringDecoder : ITextDecoder
{
    /// <inheritdoc/>
    public IReadOnlyList<string> Decode(Tensor output) => output.Strings;
}
