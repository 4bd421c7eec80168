using Build.ML.Graph;
using Build.ML.Graph.Ir;

namespace Build.ML.Autodiff.Rules;

/// <summary>
/// Fake quantization with one step size, s·round(clip(x/s)) with a Round that passes gradients straight through: recognized as a whole where the runtime has kernels for it, since its four
/// nodes and their gradients are a dozen passes over an activation.
/// </summary>
[Gradients]
public sealed class FakeQuantizationGradients : GradientTable
{
    private const string Kernel = "FakeQuantization";

    /// <summary>Names the rules.</summary>
    public FakeQuantizationGradients()
    {
        Form("Mul", (n, op) =>
        {
            if (!op.Kernels.Contains(Kernel) || n.X.ElementType != DataType.Float || n.X.Producer is not { } round || !round.Is("Round")
                || !GradientFlow.IsStraightThrough(round) || round.Inputs[0]!.Producer is not { } clip || !clip.Is("Clip")
                || clip.Inputs[0]!.Producer is not { } divide || !divide.Is("Div") || GradientFlow.RuleOf(clip) is not null || GradientFlow.RuleOf(divide) is not null
                || divide.Inputs[1] != n.Input(1) || n.Input(1).Count() != 1 || Bound(clip, 1) is not { } low || Bound(clip, 2) is not { } high)
            {
                return null;
            }

            var x = divide.Inputs[0]!;
            return x.Sizes().AsSpan().SequenceEqual(n.Y.Sizes().AsSpan())
                ? [op.Kernel(Kernel, [x, n.Input(1)], [x.Sizes()], NodeAttribute.Float("low", low), NodeAttribute.Float("high", high))[0]]
                : null;
        });
        Rule(
            Kernel,
            (n, g, op) => op.Kernel(
                Kernel + "Gradient", [g, n.X, n.Input(1)], [n.X.Sizes(), n.Input(1).Sizes()], NodeAttribute.Float("low", n.Float("low", 0)), NodeAttribute.Float("high", n.Float("high", 0))),
            GraphOps.KernelDomain);
    }

    private static float? Bound(Node clip, int input) => clip.Input(input)?.Constant is { Type: DataType.Float, Count: 1 } bound ? bound.ToArray<float>()[0] : null;
}
