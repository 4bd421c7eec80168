using Build.ML.Abstractions.References;
using Build.ML.Abstractions.Techniques;
using Build.ML.Graph;
using Build.ML.Quantization.Gptq;
using Build.ML.Quantization.Rotation;
using Build.ML.Quantization.WeightOnly;

namespace Build.ML.Quantization.Auto.Attempts;

/// <summary><c>quantize.rotate</c>, learned, then <c>quantize.gptq</c> with 4 bits and ranges of least squared error: for transformers.</summary>
[QuantizationAttempt("rotated_gptq_int4", 100)]
internal sealed class RotatedGptqInt4 : QuantizationAttempt
{
    /// <inheritdoc/>
    public override StepResult Apply(Model model, DataReference data, StepContext context)
    {
        var rotated = new RotationTechnique().Apply(model, new() { Data = data }, context);
        var quantized = new GptqQuantization().Apply(rotated.Model, new() { Data = data, Clip = WeightClip.Mse }, context);
        return quantized with { Notes = [.. rotated.Notes, .. quantized.Notes] };
    }
}
