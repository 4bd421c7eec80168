using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;
using Build.ML.Quantization.Weights;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace Build.ML.Quantization.Static;

/// <summary>A weight as integers.</summary>
/// <param name="Scales">Its scales.</param>
/// <param name="Integers">One byte each, int8 or uint8, in the weight's own order.</param>
internal sealed record RoundedWeight(WeightScales Scales, Tensor Integers);

/// <summary>
/// The weights of a model as integers, each fitted and rounded to the nearest when first asked for, unless a rounding was learnt for it. Those of the main graph are kept by name, so
/// that copies of the model share them.
/// </summary>
/// <param name="quantizer">Fits and rounds.</param>
internal sealed class WeightTable(WeightQuantizer quantizer)
{
    // Half of 2³¹, so that sums with products stay in range too.
    private const double BiasLimit = 1 << 30;

    private readonly Dictionary<(string Weight, OnnxGraph? Subgraph, int? Axis), RoundedWeight> _weights = [];
    private readonly HashSet<(string Weight, OnnxGraph? Subgraph, int? Axis)> _learnt = [];

    /// <summary>How weights are stored.</summary>
    public WeightFormat Format => quantizer.Format;

    /// <summary>A weight as integers.</summary>
    /// <param name="weight">A float constant.</param>
    /// <param name="axis">Its channel axis, or null.</param>
    /// <param name="bias">The bias [channels] that must fit 32-bit integers under the product of the scales, or null.</param>
    /// <param name="inputScale">Scale of what the weight multiplies, for the bias.</param>
    public RoundedWeight Of(Value weight, int? axis, Tensor? bias, float inputScale)
    {
        var key = Key(weight, axis);
        if (_weights.TryGetValue(key, out var known) && (bias is null || _learnt.Contains(key) || !NeedsWiderScales(known.Scales, bias, inputScale)))
        {
            return known;
        }

        var tensor = weight.Constant!;
        var fitting = axis is null ? quantizer.PerTensor() : quantizer;
        var scales = known?.Scales ?? fitting.Fit(weight.Name, tensor, axis ?? 0);
        if (bias is not null && NeedsWiderScales(scales, bias, inputScale))
        {
            scales = fitting.Measure(tensor, scales with { Scales = WiderScales(scales, bias, inputScale) });
        }

        return _weights[key] = new(scales, fitting.Quantized(tensor, scales));
    }

    /// <summary>Whether a rounding was set for the weight.</summary>
    public bool IsLearnt(Value weight, int? axis) => _learnt.Contains(Key(weight, axis));

    /// <summary>Sets a rounding learnt for a weight.</summary>
    /// <param name="weight">The weight.</param>
    /// <param name="axis">Its channel axis.</param>
    /// <param name="rows">Integers [channels, weights of a channel].</param>
    public void Learn(Value weight, int axis, sbyte[] rows)
    {
        var key = Key(weight, axis);
        var scales = _weights[key].Scales;
        var tensor = weight.Constant!;
        var layout = ChannelLayout.Of(tensor.Sizes, axis);
        var integers = new sbyte[rows.Length];
        WeightRows.Restore(rows, layout, integers);
        var noise = 0d;
        using var view = tensor.Read<float>();
        for (var i = 0; i < integers.Length; i++)
        {
            var error = view.Span[i] - integers[i] * scales.Of(i / layout.Inner % layout.Channels);
            noise += (double)error * error;
        }

        _weights[key] = new(scales with { Noise = noise }, Tensor.Of(integers, tensor.Sizes.AsSpan()));
        _learnt.Add(key);
    }

    /// <summary>Sets scales learnt for a weight, and rounds what the weight is now with them as QuantizeLinear does.</summary>
    /// <param name="weight">A float constant that <see cref="Of"/> was asked for before.</param>
    /// <param name="axis">Its channel axis, or null.</param>
    /// <param name="scales">As many as it had.</param>
    /// <param name="bias">See <see cref="Of"/>.</param>
    /// <param name="inputScale">See <see cref="Of"/>.</param>
    public void Learn(Value weight, int? axis, float[] scales, Tensor? bias, float inputScale)
    {
        var key = Key(weight, axis);
        var tensor = weight.Constant!;

        // Where layers share a weight, the bias of each must fit.
        var learnt = _learnt.Contains(key) ? _weights[key].Scales : _weights[key].Scales with { Scales = (float[])scales.Clone() };
        if (bias is not null && NeedsWiderScales(learnt, bias, inputScale))
        {
            learnt = learnt with { Scales = WiderScales(learnt, bias, inputScale) };
        }

        _weights[key] = new((axis is null ? quantizer.PerTensor() : quantizer).Measure(tensor, learnt), Divided(tensor, learnt));
        _learnt.Add(key);
    }

    // By division, as the operators do: a product with 1/s can fall on the other side of a half.
    private static Tensor Divided(Tensor weight, WeightScales scales)
    {
        var integers = new sbyte[scales.Layout.Count];
        var steps = new float[Math.Max(scales.Layout.Inner, scales.Layout.Channels)];
        using var view = weight.Read<float>();
        foreach (var segment in scales.Layout.Segments(0, integers.Length))
        {
            var piece = steps.AsSpan(0, segment.Length);
            var values = view.Span.Slice(segment.Start, segment.Length);
            if (segment.IsRow)
            {
                TensorPrimitives.Divide(values, scales.Scales, piece);
            }
            else
            {
                TensorPrimitives.Divide(values, scales.Scales[segment.Channel], piece);
            }

            TensorPrimitives.Round(piece, MidpointRounding.ToEven, piece);
            TensorPrimitives.Max(piece, scales.Least, piece);
            TensorPrimitives.Min(piece, scales.Greatest, piece);
            TensorPrimitives.ConvertTruncating<float, sbyte>(piece, integers.AsSpan(segment.Start, segment.Length));
        }

        return Tensor.Of(integers, weight.Sizes.AsSpan());
    }

    /// <summary>What the integers of a weight stand for.</summary>
    public static Tensor Real(RoundedWeight weight, int? axis)
    {
        using var view = weight.Integers.Read<byte>();
        var layout = ChannelLayout.Of(weight.Integers.Sizes, axis);
        var signed = weight.Scales.Format.Type == QuantizedType.S8;
        var real = new float[view.Span.Length];
        for (var i = 0; i < real.Length; i++)
        {
            var channel = i / layout.Inner % layout.Channels;
            var zero = weight.Scales.ZeroPoints[weight.Scales.ZeroPoints.Length == 1 ? 0 : channel];
            real[i] = ((signed ? (sbyte)view.Span[i] : view.Span[i]) - zero) * weight.Scales.Of(channel);
        }

        return Tensor.Of(real, weight.Integers.Sizes.AsSpan());
    }

    // Two branches may use one name for different weights.
    private static (string Weight, OnnxGraph? Subgraph, int? Axis) Key(Value weight, int? axis) =>
        (weight.Name, weight.Graph.ParentNode is null ? null : weight.Graph, axis);

    // b/(sx·sw) must fit 32 bits. It does not where a channel's weights are (nearly) zero but its bias is not: batch-norm folding leaves such channels.
    private static bool NeedsWiderScales(WeightScales scales, Tensor bias, float inputScale)
    {
        using var values = bias.Read<float>();
        for (var c = 0; c < values.Span.Length; c++)
        {
            if (Math.Abs(values.Span[c]) > scales.Of(c) * (double)inputScale * BiasLimit)
            {
                return true;
            }
        }

        return false;
    }

    private static float[] WiderScales(WeightScales scales, Tensor bias, float inputScale)
    {
        using var values = bias.Read<float>();
        var wider = (float[])scales.Scales.Clone();
        for (var c = 0; c < values.Span.Length; c++)
        {
            ref var scale = ref wider[wider.Length == 1 ? 0 : c];
            scale = Math.Max(scale, (float)(Math.Abs(values.Span[c]) / (inputScale * BiasLimit)));
        }

        return wider;
    }
}
