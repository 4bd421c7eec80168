using Build.ML.Abstractions.Data;
using Build.ML.Graph;
using Build.ML.Graph.Costs;
using Build.ML.Graph.Coupling;
using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Shapes;

namespace Build.ML.Pruning.Structured.Widths;

/// <summary>What a model costs when its axes have other sizes, without making it: sizes of all tensors follow from the layouts of their dimensions.</summary>
internal sealed class WidthCosts
{
    private readonly ChannelCoupling _coupling;
    private readonly Model _model;
    private readonly Dictionary<string, long[]> _sizes = new(StringComparer.Ordinal);
    private readonly Dictionary<Value, (long[] Sizes, DimensionLayout?[] Layouts)> _seen = [];

    /// <summary>Infers the sizes of all values.</summary>
    /// <param name="model">Not changed.</param>
    /// <param name="coupling">Its axes.</param>
    /// <param name="sample">What a run is fed, or null for the declared input sizes with a batch of one.</param>
    public WidthCosts(Model model, ChannelCoupling coupling, Sample? sample)
    {
        (_model, _coupling) = (model, coupling);
        using var copy = model.Clone();
        FixInputs(copy.Graph, sample);
        foreach (var (value, type) in ShapeInference.Infer(copy, useDeclared: false).Types)
        {
            if ((type as TensorType)?.Shape?.ToSizes() is { } sizes)
            {
                _sizes.TryAdd(value.Name, sizes);
            }
        }
    }

    /// <summary>Multiply-accumulates of one run.</summary>
    /// <param name="sizeOf">Sizes of the axes.</param>
    /// <exception cref="DiagnosticException">BML5632: nodes whose sizes are not known, all of them.</exception>
    public long Macs(Func<ChannelAxis, long> sizeOf)
    {
        long total = 0;
        var unknown = new List<Diagnostic>();
        foreach (var node in _model.AllNodes)
        {
            if (MultiplyAccumulates.Of(node, v => Sizes(v, sizeOf)) is { } macs)
            {
                total += macs;
                continue;
            }

            unknown.Add(new(
                "BML5632", $"Sizes around {node.DisplayName} are not known, so 'remove_macs' is not either. Name calibration data as 'data', whose first sample fixes them, or give the model fixed "
                + "input sizes."));
        }

        return unknown.Count == 0 ? total : throw new DiagnosticException(unknown);
    }

    /// <summary>Multiply-accumulates of one run with the sizes as they are, or null where sizes are not known.</summary>
    public long? TryMacs()
    {
        long total = 0;
        foreach (var node in _model.AllNodes)
        {
            if (MultiplyAccumulates.Of(node, v => Sizes(v, static a => a.Size)) is not { } macs)
            {
                return null;
            }

            total += macs;
        }

        return total;
    }

    /// <summary>Number of weights and their bytes: all constants but for integers and the like that are shapes and indices.</summary>
    /// <param name="sizeOf">Sizes of the axes.</param>
    public (long Count, long Bytes) Parameters(Func<ChannelAxis, long> sizeOf)
    {
        long all = 0, bytes = 0;
        foreach (var value in _model.Graph.Initializers)
        {
            var type = value.Initializer!.Type;
            if (type is DataType.Int64 or DataType.Int32 or DataType.Bool or DataType.String)
            {
                continue;
            }

            long count = 1;
            foreach (var size in Sizes(value, sizeOf)!)
            {
                count *= size;
            }

            all += count;
            bytes += type.ByteLength(count);
        }

        return (all, bytes);
    }

    private long[]? Sizes(Value? value, Func<ChannelAxis, long> sizeOf)
    {
        if (value is null)
        {
            return null;
        }

        if (!_seen.TryGetValue(value, out var known))
        {
            long[]? sizes = value.Initializer is { } tensor ? [.. tensor.Sizes] : _sizes.GetValueOrDefault(value.Name);
            if (sizes is null)
            {
                return null;
            }

            known = (sizes, new DimensionLayout?[sizes.Length]);
            for (var d = 0; d < sizes.Length && value.Graph == _model.Graph; d++)
            {
                known.Layouts[d] = _coupling.LayoutOf(value, d) is { IsKnown: true } layout && layout.Size == sizes[d] && layout.Axes.Count > 0 ? layout : null;
            }

            _seen.Add(value, known);
        }

        var result = new long[known.Sizes.Length];
        for (var d = 0; d < result.Length; d++)
        {
            result[d] = known.Layouts[d]?.SizeWith(sizeOf) ?? known.Sizes[d];
        }

        return result;
    }

    // The batch is one sample: how many there are changes no ratio.
    private static void FixInputs(OnnxGraph graph, Sample? sample)
    {
        foreach (var input in graph.Inputs.Where(i => i.Initializer is null && i.Type is TensorType))
        {
            var fed = sample?.Inputs.FirstOrDefault(f => f.Key == input.Name || (f.Key.Length == 0 && input == graph.Inputs.First(i => i.Initializer is null))).Value;
            var type = (TensorType)input.Type!;
            if (fed is not null)
            {
                input.Type = new TensorType(type.ElementType, Shape.Of(sample!.Whole.Contains(input.Name) ? [.. fed.Sizes] : [1, .. fed.Sizes]));
            }
            else if (type.Shape is { Rank: > 0 } shape && !shape[0].IsKnown)
            {
                input.Type = new TensorType(type.ElementType, new Shape([1, .. shape.Dimensions.Skip(1)]));
            }
        }
    }
}
