using Build.ML.Abstractions.References;
using Build.ML.Abstractions.Techniques;
using Build.ML.Graph;
using Build.ML.Quantization.WeightOnly;

namespace Build.ML.Quantization.Auto.Attempts;

/// <summary><c>quantize.weights</c> with 4 bits and ranges of least squared error.</summary>
[QuantizationAttempt("weights_int4", 20)]
internal sealed class WeightsInt4 : QuantizationAttempt
{
    /// <inheritdoc/>
    public override bool NeedsData => false;

    /// <inheritdoc/>
    public override StepResult Apply(Model model, DataReference data, StepContext context) =>
        new WeightQuantization().Apply(model, new() { Clip = WeightClip.Mse }, context);
}
