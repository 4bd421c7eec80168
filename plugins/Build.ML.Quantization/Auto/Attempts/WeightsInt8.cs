using Build.ML.Abstractions.References;
using Build.ML.Abstractions.Techniques;
using Build.ML.Graph;
using Build.ML.Quantization.WeightOnly;

namespace Build.ML.Quantization.Auto.Attempts;

/// <summary><c>quantize.weights</c> with 8 bits.</summary>
[QuantizationAttempt("weights_int8", 15)]
internal sealed class WeightsInt8 : QuantizationAttempt
{
    /// <inheritdoc/>
    public override bool NeedsData => false;

    /// <inheritdoc/>
    public override StepResult Apply(Model model, DataReference data, StepContext context) => new WeightQuantization().Apply(model, new() { Bits = 8 }, context);
}
