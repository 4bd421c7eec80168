using Build.ML.Graph.Ir;

namespace Build.ML.Autodiff.Rules;

/// <summary>
/// Normalizations over the last axes (Ba et al., Layer Normalization, 2016; Zhang and Sennrich, Root Mean Square Layer Normalization, 2019). With x̂ = (x − µ)·v, v the inverse deviation
/// saved by the forward pass, and h = g·scale: dx = v·(h − mean(h) − x̂·mean(h·x̂)); without the mean for the root mean square forms.
/// </summary>
[Gradients]
public sealed class LayerNormalizationGradients : GradientTable
{
    /// <summary>Names the rules.</summary>
    public LayerNormalizationGradients()
    {
        Rule("LayerNormalization", (n, g, op) =>
        {
            var (mean, inverse) = (n.Saved(1), n.Saved(2));
            return Normalized(n, g, op, op.Mul(op.Sub(n.X, mean), inverse), inverse, centred: true);
        });
        Rule("SimplifiedLayerNormalization", (n, g, op) =>
        {
            var inverse = n.Saved(1);
            return Normalized(n, g, op, op.Mul(n.X, inverse), inverse, centred: false);
        });
        Rule("RMSNormalization", (n, g, op) =>
        {
            var square = op.ReduceMean(op.Square(n.X), Axes(n));
            var inverse = op.Div(1, op.Sqrt(op.Add(square, n.Float("epsilon", 1e-5f))));
            return Normalized(n, g, op, op.Mul(n.X, inverse), inverse, centred: false);
        });
        Form("SkipLayerNormalization", (n, op) =>
        {
            var sum = Sum(n, 4, op);
            var normalized = op.Nodes("LayerNormalization", [sum, n.Input(2), n.Has(3) ? n.Input(3) : null], 3, NodeAttribute.Float("epsilon", n.Float("epsilon", 1e-12f)));
            return [normalized[0], normalized[1], normalized[2], sum];
        }, Microsoft);
        Form("SkipSimplifiedLayerNormalization", (n, op) =>
        {
            var sum = Sum(n, 3, op);
            var normalized = op.Nodes("SimplifiedLayerNormalization", [sum, n.Input(2)], 2, NodeAttribute.Float("epsilon", n.Float("epsilon", 1e-12f)));
            return [normalized[0], null, normalized[1], sum];
        }, Microsoft);
    }

    private static Value Sum(Forward n, int bias, GraphOps op)
    {
        var sum = op.Add(n.X, n.Input(1));
        return n.Has(bias) ? op.Add(sum, n.Input(bias)) : sum;
    }

    private static long[] Axes(Forward n)
    {
        var axis = n.Axis("axis", -1);
        return [.. Enumerable.Range(axis, n.X.Rank() - axis).Select(i => (long)i)];
    }

    private static Value?[] Normalized(Forward n, Value g, GraphOps op, Value x, Value inverse, bool centred)
    {
        var ofScale = n.Needs(1) ? op.Mul(g, x) : null;
        if (!n.Needs(0))
        {
            return [null, ofScale, g];
        }

        var axes = Axes(n);
        var h = op.Mul(g, n.Input(1));
        var tilt = op.Mul(x, op.ReduceMean(op.Mul(h, x), axes));
        var inner = op.Sub(centred ? op.Sub(h, op.ReduceMean(h, axes)) : h, tilt);
        return [OfStatistics(n, op.Mul(inner, inverse), op, x, inverse, centred), ofScale, g];
    }

    // Where the statistics are read too: dµ/dx = 1/D, dv/dx = −v²·x̂/D.
    private static Value OfStatistics(Forward n, Value gradient, GraphOps op, Value x, Value inverse, bool centred)
    {
        var count = (double)n.X.Count() / inverse.Count();
        if (centred && n.Gradient(1) is { } ofMean)
        {
            gradient = op.Add(gradient, op.Div(ofMean, count));
        }

        return n.Gradient(centred ? 2 : 1) is { } ofInverse && !n.Node.Is("RMSNormalization")
            ? op.Sub(gradient, op.Mul(x, op.Mul(op.Div(ofInverse, count), op.Square(inverse)))) : gradient;
    }
}
