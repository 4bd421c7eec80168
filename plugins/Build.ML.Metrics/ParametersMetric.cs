using System.Collections.Immutable;
using Build.ML.Abstractions;
using Build.ML.Abstractions.Metrics;
using Build.ML.Graph;
using Build.ML.Graph.Tensors;

namespace Build.ML.Metrics;

/// <summary>
/// Number of weights: elements of all constants of the graph, subgraphs and functions, but for int64, int32, bool and string ones, which are shapes,
/// indices and the like. Zeros count; scales and zero points count. 4-bit weights that an operator holds packed in bytes (MatMulNBits) count as bytes.
/// </summary>
[Metric("parameters")]
public sealed class ParametersMetric : ModelMetric<NoOptions>
{
    /// <inheritdoc/>
    public override ImmutableArray<MetricValue> Measure(NoOptions options, MetricContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        return [new("parameters", Count(context.Model), "count", Direction.LowerIsBetter) { SourceValue = Count(context.Source) }];
    }

    internal static long Count(Model model)
    {
        long count = 0;
        foreach (var graph in model.Functions.Select(f => f.Body).Prepend(model.Graph).SelectMany(g => g.AllNodes.SelectMany(n => n.Subgraphs).Prepend(g)))
        {
            count += graph.Initializers.Sum(i => Weights(i.Initializer!));
            count += graph.SparseInitializers.Sum(s => Weights(s.Value.Values));
            foreach (var node in graph.Nodes)
            {
                count += node.Is("Constant") && node.Attribute("value")?.Value is Tensor tensor ? Weights(tensor) : 0;
            }
        }

        return count;
    }

    private static long Weights(Tensor tensor) =>
        tensor.Type is DataType.Int64 or DataType.Int32 or DataType.Bool or DataType.String ? 0 : tensor.Count;
}
