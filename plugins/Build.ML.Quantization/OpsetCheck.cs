using Build.ML.Graph;
using Build.ML.Graph.Diagnostics;

namespace Build.ML.Quantization;

/// <summary>Checks that a model's operator set has what a technique emits.</summary>
internal static class OpsetCheck
{
    /// <summary>The model must import at least <paramref name="least"/>.</summary>
    /// <exception cref="DiagnosticException">BML5404: it imports an older one.</exception>
    public static void Require(Model model, long least, string feature)
    {
        if (model.Opset < least)
        {
            throw new DiagnosticException(
                "BML5404",
                $"The model uses operator set {model.Opset}, {feature} needs {least} or later. Put a step 'use: optimize.graph' with 'opset: {least}' before this one.");
        }
    }
}
