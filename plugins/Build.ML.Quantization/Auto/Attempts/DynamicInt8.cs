using Build.ML.Abstractions.References;
using Build.ML.Abstractions.Techniques;
using Build.ML.Graph;
using Build.ML.Quantization.Dynamic;

namespace Build.ML.Quantization.Auto.Attempts;

/// <summary><c>quantize.dynamic</c> with its defaults.</summary>
[QuantizationAttempt("dynamic_int8", 10)]
internal sealed class DynamicInt8 : QuantizationAttempt
{
    /// <inheritdoc/>
    public override bool NeedsData => false;

    /// <inheritdoc/>
    public override StepResult Apply(Model model, DataReference data, StepContext context) => new DynamicQuantization().Apply(model, new(), context);
}
