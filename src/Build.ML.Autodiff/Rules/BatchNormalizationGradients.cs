using Build.ML.Graph.Ir;

namespace Build.ML.Autodiff.Rules;

/// <summary>
/// Batch normalization, y = scale·(x − mean)/√(variance + ε) + bias by channel (Ioffe and Szegedy, Batch Normalization, 2015). With
/// <see cref="TrainingModelOptions.BatchStatistics"/> mean and variance are the batch's: the variance as the mean square of what is left after subtracting the mean, since
/// E[x²] − mean² loses digits. The running ones then follow by the node's momentum (ONNX: new = momentum·old + (1 − momentum)·batch, 0.9 by default, which PyTorch calls 0.1), the
/// variance as PyTorch does with the count less one in the denominator. Without, they are constants.
/// </summary>
[Gradients]
public sealed class BatchNormalizationGradients : GradientTable
{
    /// <summary>Names the rules.</summary>
    public BatchNormalizationGradients()
    {
        Form("BatchNormalization", WithBatchStatistics);
        Rule("BatchNormalization", (n, g, op) =>
        {
            var channels = n.Input(1).Sizes();
            return op.Kernel(
                "BatchNormalizationGradient", [g, n.X, n.Input(1), n.Output(1), n.Output(3)], [n.X.Sizes(), channels, channels]);
        }, GraphOps.KernelDomain);
        Rule("BatchNormalization", (n, g, op) =>
        {
            var (scale, mean, variance) = (n.Input(1), n.Input(3), n.Input(4));
            var axes = AllButChannels(n.X);
            var deviation = op.Div(1, op.Sqrt(op.Add(variance, n.Float("epsilon", 1e-5f))));
            var slope = op.Mul(scale, deviation);
            var sum = op.ReduceSum(g, axes, keep: false);
            var centred = n.Needs(1) || n.Needs(4)
                ? op.ReduceSum(op.Mul(g, op.Sub(n.X, OverChannels(mean, n.X, op))), axes, keep: false)
                : null;
            return
            [
                n.Needs(0) ? op.Mul(g, OverChannels(slope, n.X, op)) : null,
                n.Needs(1) ? op.Mul(centred!, deviation) : null,
                sum,
                n.Needs(3) ? op.Neg(op.Mul(slope, sum)) : null,
                n.Needs(4) ? op.Mul(op.Mul(op.Mul(slope, op.Square(deviation)), centred!), -0.5) : null,
            ];
        });
    }

    /// <summary>A value by channel, with sizes that broadcast over [N, C, …].</summary>
    internal static Value OverChannels(Value byChannel, Value x, GraphOps op)
    {
        var sizes = new long[x.Rank()];
        Array.Fill(sizes, 1);
        sizes[1] = x.Size(1);
        return op.Reshape(byChannel, sizes);
    }

    private static Value?[]? WithBatchStatistics(Forward n, GraphOps op)
    {
        if (!op.BatchStatistics)
        {
            return null;
        }

        var epsilon = NodeAttribute.Float("epsilon", n.Float("epsilon", 1e-5f));
        var channels = n.Input(1).Sizes();
        Value y, mean, variance;
        if (op.Kernels.Contains("BatchNormalization"))
        {
            var outputs = op.Kernel("BatchNormalization", [n.X, n.Input(1), n.Input(2)], [n.X.Sizes(), channels, channels, channels], epsilon);
            (y, mean, variance) = (outputs[0], outputs[1], outputs[2]);
        }
        else
        {
            var axes = AllButChannels(n.X);
            var centre = op.ReduceMean(n.X, axes);
            mean = op.Reshape(centre, channels.AsSpan());
            variance = op.Reshape(op.ReduceMean(op.Square(op.Sub(n.X, centre)), axes), channels.AsSpan());
            y = op.Node("BatchNormalization", [n.X, n.Input(1), n.Input(2), mean, variance], epsilon);
        }

        var (count, momentum) = (n.X.Count() / n.X.Size(1), n.Float("momentum", 0.9f));
        op.Track(n.Input(3), mean, momentum);
        op.Track(n.Input(4), op.Mul(variance, count / Math.Max(1.0, count - 1)), momentum);
        return [y];
    }

    private static long[] AllButChannels(Value x) => [0, .. Enumerable.Range(2, Math.Max(0, x.Rank() - 2)).Select(i => (long)i)];
}
