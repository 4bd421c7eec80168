using System.Collections.Immutable;
using Build.ML.Abstractions;
using Build.ML.Abstractions.Data;
using Build.ML.Abstractions.Metrics;
using Build.ML.Graph;
using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Shapes;
using Build.ML.Metrics.Macs;

namespace Build.ML.Metrics;

/// <summary>
/// Multiply-accumulates of convolutions, matrix products and recurrent layers in one run on the first evaluation sample, from the inferred shapes;
/// without evaluation data, from the input shapes that the model declares. Bodies of loops and both branches of conditions count once.
/// </summary>
[Metric("macs")]
public sealed class MacsMetric : ModelMetric<NoOptions>
{
    /// <inheritdoc/>
    public override ImmutableArray<MetricValue> Measure(NoOptions options, MetricContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        var sample = context.Data is { Count: > 0 } data ? data[0] : null;
        return
        [
            new("macs", Count(context.Model, sample), "count", Direction.LowerIsBetter)
            {
                SourceValue = Count(context.Source, sample),
                Note = sample is null ? "at the declared input shapes" : "for the first evaluation sample",
            },
        ];
    }

    /// <summary>Counts a model's multiply-accumulates.</summary>
    /// <exception cref="DiagnosticException">BML6106: nodes whose sizes cannot be inferred, all of them.</exception>
    internal static long Count(Model model, Sample? sample)
    {
        using var copy = model.Clone();
        if (sample is not null)
        {
            Fix(copy.Graph, sample);
        }

        var types = ShapeInference.Infer(copy, useDeclared: false).Types;
        long total = 0;
        var unknown = new List<Diagnostic>();
        foreach (var node in copy.AllNodes)
        {
            if (MacRules.Of(node, SizesOf) is { } macs)
            {
                total += macs;
            }
            else
            {
                unknown.Add(new(
                    "BML6106", $"Sizes around {node.DisplayName} are not known, so its multiply-accumulates cannot be counted. Name evaluation data, or give "
                    + "the model fixed input sizes."));
            }
        }

        return unknown.Count == 0 ? total : throw new DiagnosticException(unknown);

        long[]? SizesOf(Value? value) => value is null ? null
            : value.Initializer is { } tensor ? [.. tensor.Sizes]
            : ((types.GetValueOrDefault(value) ?? value.Type) as TensorType)?.Shape?.ToSizes();
    }

    private static void Fix(OnnxGraph graph, Sample sample)
    {
        foreach (var (name, tensor) in sample.Inputs)
        {
            var input = name.Length == 0 ? graph.Inputs.FirstOrDefault(i => i.Initializer is null) : graph.Inputs.FirstOrDefault(i => i.Name == name);
            if (input is not null)
            {
                input.Type = new TensorType(tensor.Type, Shape.Of([1, .. tensor.Sizes]));
            }
        }
    }
}
