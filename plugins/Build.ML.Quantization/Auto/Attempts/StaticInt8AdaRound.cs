using Build.ML.Abstractions.References;
using Build.ML.Abstractions.Techniques;
using Build.ML.Graph;
using Build.ML.Quantization.Static;

namespace Build.ML.Quantization.Auto.Attempts;

/// <summary><c>quantize.static</c> with ranges of least squared error, learned rounding and corrected biases.</summary>
[QuantizationAttempt("static_int8_adaround", 80)]
internal sealed class StaticInt8AdaRound : QuantizationAttempt
{
    /// <inheritdoc/>
    public override StepResult Apply(Model model, DataReference data, StepContext context) =>
        new StaticQuantization().Apply(model, new() { Data = data, Calibrator = "mse", Rounding = WeightRounding.Adaround, BiasCorrection = true }, context);
}
