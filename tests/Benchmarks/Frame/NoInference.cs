using Build.ML.Abstractions.Inference;
using Build.ML.Graph;

namespace Build.ML.Benchmarks.Frame;

/// <summary>For steps that run no model.</summary>
public sealed class NoInference : IInference
{
    /// <inheritdoc/>
    public string Runtime => "none";

    /// <inheritdoc/>
    public IInferenceSession Open(Model model, InferenceOptions? options = null) => throw new NotSupportedException();
}
