using Build.ML.Abstractions.References;
using Build.ML.Abstractions.Techniques;
using Build.ML.Graph;
using Build.ML.Quantization.Static;

namespace Build.ML.Quantization.Auto.Attempts;

/// <summary><c>quantize.static</c> with ranges of least squared error.</summary>
[QuantizationAttempt("static_int8_mse", 35)]
internal sealed class StaticInt8Mse : QuantizationAttempt
{
    /// <inheritdoc/>
    public override StepResult Apply(Model model, DataReference data, StepContext context) =>
        new StaticQuantization().Apply(model, new() { Data = data, Calibrator = "mse" }, context);
}
