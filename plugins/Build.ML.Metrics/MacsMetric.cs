using System.Collections.Immutable;
using Build.ML.Abstractions;
using Build.ML.Abstractions.Data;
using Build.ML.Abstractions.Inference;
using Build.ML.Abstractions.Metrics;
using Build.ML.Graph;
using Build.ML.Graph.Costs;
using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Shapes;

namespace Build.ML.Metrics;

/// <summary>
/// Multiply-accumulates of convolutions, matrix products and recurrent layers in one run on the first evaluation sample, from the inferred shapes, and
/// from those of a run where inference does not get through; without evaluation data, from the input shapes that the model declares. Bodies of loops and
/// both branches of conditions count once.
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
            new("macs", Count(context.Model, sample, context.Inference), "count", Direction.LowerIsBetter)
            {
                SourceValue = Count(context.Source, sample, context.Inference),
                Note = sample is null ? "at the declared input shapes" : "for the first evaluation sample",
            },
        ];
    }

    /// <summary>Counts a model's multiply-accumulates.</summary>
    /// <exception cref="DiagnosticException">BML6106: nodes whose sizes are not known, all of them.</exception>
    internal static long Count(Model model, Sample? sample, IInference inference)
    {
        using var copy = model.Clone();
        if (sample is not null)
        {
            Fix(copy.Graph, sample);
        }

        var types = ShapeInference.Infer(copy, useDeclared: false).Types;
        Dictionary<string, long[]>? ran = null;
        long total = 0;
        var unknown = new List<Diagnostic>();
        foreach (var node in copy.AllNodes)
        {
            var macs = MultiplyAccumulates.Of(node, SizesOf);
            if (macs is null && sample is not null && ran is null)
            {
                ran = SizesOfRun(model, sample, inference, Needed(copy, SizesOf));
                macs = MultiplyAccumulates.Of(node, SizesOf);
            }

            if (macs is null)
            {
                unknown.Add(new(
                    "BML6106", $"Sizes around {node.DisplayName} are not known, so its multiply-accumulates cannot be counted. Name evaluation data, or give "
                    + "the model fixed input sizes."));
            }

            total += macs ?? 0;
        }

        return unknown.Count == 0 ? total : throw new DiagnosticException(unknown);

        long[]? SizesOf(Value? value) => value is null ? null
            : value.Initializer is { } tensor ? [.. tensor.Sizes]
            : ((types.GetValueOrDefault(value) ?? value.Type) as TensorType)?.Shape?.ToSizes() ?? ran?.GetValueOrDefault(value.Name);
    }

    // Values of the main graph that nodes with a rule read or write and whose sizes are not known.
    private static ImmutableArray<string> Needed(Model model, SizesOf sizes) =>
    [
        .. model.Graph.Nodes.Where(n => MultiplyAccumulates.Of(n, sizes) is null).SelectMany(n => n.Inputs.Concat(n.Outputs))
            .Where(v => v is { Name.Length: > 0 } && v.Graph == model.Graph && sizes(v) is null).Select(v => v!.Name).Distinct(StringComparer.Ordinal),
    ];

    private static Dictionary<string, long[]> SizesOfRun(Model model, Sample sample, IInference inference, ImmutableArray<string> values)
    {
        using var session = inference.Open(model, new InferenceOptions { Optimize = false, ExtraOutputs = values });
        var outputs = session.Run(sample.AsBatch().Inputs);
        return session.Outputs.Zip(outputs, (name, tensor) => KeyValuePair.Create(name, (long[])[.. tensor.Sizes])).ToDictionary(StringComparer.Ordinal);
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
