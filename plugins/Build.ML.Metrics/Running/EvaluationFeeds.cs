using System.Collections.Immutable;
using Build.ML.Abstractions.Data;
using Build.ML.Abstractions.Metrics;
using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Tensors;

namespace Build.ML.Metrics.Running;

/// <summary>Real samples to run models on: speed depends on sizes and, for some kernels, on values.</summary>
internal static class EvaluationFeeds
{
    /// <summary>Up to <paramref name="count"/> samples, spread evenly over the evaluation data, each as a batch of one.</summary>
    /// <exception cref="DiagnosticException">BML6105: the recipe names no evaluation data, or it is empty.</exception>
    public static ImmutableArray<ImmutableArray<KeyValuePair<string, Tensor>>> Singles(MetricContext context, string metric, int count)
    {
        var data = DataOf(context, metric);
        var taken = Math.Min(count, data.Count);
        return [.. Enumerable.Range(0, taken).Select(i => data[(int)((long)i * data.Count / taken)].AsBatch().Inputs)];
    }

    /// <summary>The first batches that together hold up to <paramref name="samples"/> samples.</summary>
    /// <exception cref="DiagnosticException">BML6105, see <see cref="Singles"/>.</exception>
    public static ImmutableArray<Batch> Batches(MetricContext context, string metric, int size, int samples)
    {
        var batches = ImmutableArray.CreateBuilder<Batch>();
        var taken = 0;
        foreach (var batch in DataOf(context, metric).Batches(size))
        {
            batches.Add(batch);
            taken += batch.Count;
            if (taken >= samples)
            {
                break;
            }
        }

        return batches.ToImmutable();
    }

    private static DataSet DataOf(MetricContext context, string metric) => context.Data is { Count: > 0 } data
        ? data
        : throw new DiagnosticException("BML6105", $"Metric '{metric}' runs the model on real samples; name a data set with at least one as 'data' of 'evaluate'.");
}
