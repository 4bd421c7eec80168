using Build.ML.Graph.Ir;

namespace Build.ML.Quantization.Static;

/// <summary>
/// The part of a value's range that its readers can tell apart. All that a hard swish, x·HardSigmoid(x), sees at or below −β/α is 0, all that a hard sigmoid alone sees beyond
/// its corners is 0 or 1, all that a ReLU sees below 0 is 0: integers spent there would be lost, and clipping there costs nothing at all.
/// </summary>
internal static class TellingRange
{
    /// <summary>The range outside which every reader of <paramref name="value"/> answers as at its ends; infinite where some reader does not.</summary>
    public static (float Minimum, float Maximum) Of(Value value)
    {
        var (minimum, maximum) = (float.PositiveInfinity, float.NegativeInfinity);
        if (value.IsGraphOutput || value.Uses.Count == 0)
        {
            return (float.NegativeInfinity, float.PositiveInfinity);
        }

        foreach (var use in value.Uses)
        {
            var (low, high) = OfReader(value, use);
            minimum = Math.Min(minimum, low);
            maximum = Math.Max(maximum, high);
        }

        return (minimum, maximum);
    }

    private static (float Minimum, float Maximum) OfReader(Value value, Use use)
    {
        var node = use.Node;
        if (node.Is("Relu"))
        {
            return (0, float.PositiveInfinity);
        }

        if (node.Is("HardSwish"))
        {
            return (-3, float.PositiveInfinity);
        }

        if (node.Is("HardSigmoid"))
        {
            return Corners(node);
        }

        // The other factor of a hard swish: where the gate is 0, so is the product.
        if (node.Is("Mul") && node.Inputs[1 - use.Index] is { Producer: { } gate } && gate.Is("HardSigmoid") && gate.Inputs[0] == value)
        {
            return (Corners(gate).Minimum, float.PositiveInfinity);
        }

        return (float.NegativeInfinity, float.PositiveInfinity);
    }

    // max(0, min(1, αx + β)) for α > 0.
    private static (float Minimum, float Maximum) Corners(Node hardSigmoid)
    {
        float alpha = hardSigmoid.Float("alpha", 0.2f), beta = hardSigmoid.Float("beta", 0.5f);
        return alpha > 0 ? (-beta / alpha, (1 - beta) / alpha) : (float.NegativeInfinity, float.PositiveInfinity);
    }
}
