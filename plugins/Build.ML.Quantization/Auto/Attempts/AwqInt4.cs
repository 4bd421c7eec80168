using Build.ML.Abstractions.References;
using Build.ML.Abstractions.Techniques;
using Build.ML.Graph;
using Build.ML.Quantization.Awq;

namespace Build.ML.Quantization.Auto.Attempts;

/// <summary><c>quantize.awq</c> with 4 bits.</summary>
[QuantizationAttempt("awq_int4", 50)]
internal sealed class AwqInt4 : QuantizationAttempt
{
    /// <inheritdoc/>
    public override StepResult Apply(Model model, DataReference data, StepContext context) => new AwqQuantization().Apply(model, new() { Data = data }, context);
}
