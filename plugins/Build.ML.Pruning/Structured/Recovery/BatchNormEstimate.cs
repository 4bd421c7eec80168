using Build.ML.Calibration;
using Build.ML.Calibration.Statistics;
using Build.ML.Graph;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;

namespace Build.ML.Pruning.Structured.Recovery;

/// <summary>Running statistics of a BatchNormalization taken anew: mean and variance of its input over all calibration data.</summary>
internal static class BatchNormEstimate
{
    /// <summary>Whether a node has running statistics that can be set.</summary>
    public static bool Supports(Node node) =>
        node.Is("BatchNormalization") && node.Input(3)?.Initializer is { Type: DataType.Float } && node.Input(4)?.Initializer is { Type: DataType.Float };

    /// <summary>Sets them.</summary>
    /// <param name="node">The node.</param>
    /// <param name="run">Has run up to it.</param>
    public static void Apply(Node node, StreamedExecution run)
    {
        var statistic = new ChannelStatistic(1);
        var seen = statistic.Create();
        foreach (var tensor in run.Activations(node.Inputs[0]!))
        {
            statistic.Add(seen, tensor);
        }

        var (mean, square) = (seen.Mean, seen.MeanSquare);
        float[] variance = [.. mean.Zip(square, static (m, s) => (float)Math.Max(0, s - m * m))];
        node.Graph.SetInitializer(node.Inputs[3]!, Tensor.Of(Array.ConvertAll(mean, m => (float)m), mean.Length));
        node.Graph.SetInitializer(node.Inputs[4]!, Tensor.Of(variance, variance.Length));
    }
}
