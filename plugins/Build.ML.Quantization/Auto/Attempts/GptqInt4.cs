using Build.ML.Abstractions.References;
using Build.ML.Abstractions.Techniques;
using Build.ML.Graph;
using Build.ML.Quantization.Gptq;
using Build.ML.Quantization.WeightOnly;

namespace Build.ML.Quantization.Auto.Attempts;

/// <summary><c>quantize.gptq</c> with 4 bits and ranges of least squared error.</summary>
[QuantizationAttempt("gptq_int4", 60)]
internal sealed class GptqInt4 : QuantizationAttempt
{
    /// <inheritdoc/>
    public override StepResult Apply(Model model, DataReference data, StepContext context) =>
        new GptqQuantization().Apply(model, new() { Data = data, Clip = WeightClip.Mse }, context);
}
