using Build.ML.Autodiff;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;

namespace Build.ML.Quantization.QuantizationAware;

/// <summary>
/// Rounding to integers and back in float operators, differentiable: y = s·round(clip(x/s, n, p)), halves to even as QuantizeLinear does; the gradient passes the rounding unchanged
/// (straight-through estimator). The chain rule then gives Esser et al. 2020, "Learned Step Size Quantization" (arXiv 1902.08153), eqs. 3 and 5: ∂y/∂x is 1 where n ≤ x/s ≤ p, else 0;
/// ∂y/∂s is round(x/s) − x/s there, else the bound n or p. n and p count from the zero point, which is an integer and so changes no rounding.
/// </summary>
internal static class FakeQuantization
{
    /// <summary>Writes the four nodes.</summary>
    /// <param name="x">What is rounded.</param>
    /// <param name="size">s: a scalar, or broadcast to x.</param>
    /// <param name="least">n, 0 or less.</param>
    /// <param name="greatest">p, above 0.</param>
    /// <param name="name">Prefix of names; y has it as its own.</param>
    /// <param name="before">Where.</param>
    public static Value Write(Value x, Value size, int least, int greatest, string name, Node? before)
    {
        var graph = size.Graph;
        var steps = graph.Add("Div", [x, size], graph.UniqueName(name + "_steps"), before: before);
        var clipped = graph.Add("Clip", [steps, Number(graph, least), Number(graph, greatest)], graph.UniqueName(name + "_clipped"), before: before);
        var rounded = graph.Add("Round", [clipped], graph.UniqueName(name + "_rounded"), before: before);
        rounded.Producer!.PassStraightThrough();
        return graph.Add("Mul", [rounded, size], graph.UniqueName(name), before: before);
    }

    private static Value Number(OnnxGraph graph, int number)
    {
        var name = "fake_quantization_" + number.ToString(System.Globalization.CultureInfo.InvariantCulture);
        return graph.Find(name) ?? graph.AddInitializer(name, Tensor.Scalar((float)number));
    }
}
