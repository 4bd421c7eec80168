using Build.ML.Graph.Ir;

namespace Build.ML.Autodiff.Rules;

/// <summary>Normalizations of older networks, in training written out.</summary>
[Gradients]
public sealed class ResponseNormalizationForms : GradientTable
{
    /// <summary>Names the forms.</summary>
    public ResponseNormalizationForms()
    {
        // Over channels (Krizhevsky et al., 2012): x·(bias + alpha/size·Σ x²)^−beta; the mean over a window of channels is a pool over them as an image's rows.
        Form("LRN", (n, op) =>
        {
            var (x, size) = (n.X.Sizes(), n.Int("size", 1));
            var (before, after) = ((size - 1) / 2, size / 2);
            var rows = op.Reshape(op.Square(n.X), x[0], 1, x[1], StaticSizes.Product(x.AsSpan()[2..]));
            var mean = op.Node(
                "AveragePool", [rows], NodeAttribute.Ints("kernel_shape", size, 1), NodeAttribute.Ints("pads", before, 0, after, 0), NodeAttribute.Int("count_include_pad", 1));
            var divisor = op.Add(op.Mul(op.Reshape(mean, x.AsSpan()), n.Float("alpha", 0.0001f)), n.Float("bias", 1));
            return [op.Mul(n.X, op.Pow(divisor, -n.Float("beta", 0.75f)))];
        });
        Form("MeanVarianceNormalization", (n, op) =>
        {
            long[] axes = n.Ints("axes") is { } given ? [.. given] : [0, 2, 3];
            var centred = op.Sub(n.X, op.ReduceMean(n.X, axes));
            return [op.Div(centred, op.Add(op.Sqrt(op.ReduceMean(op.Square(centred), axes)), 1e-9))];
        });
    }
}
