using System.Runtime.InteropServices;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;

namespace Build.ML.Graph.Passes;

/// <summary>
/// A Conv, ConvTranspose, Gemm or MatMul with constant float weights, into which a factor and an offset per output channel can be folded:
/// s·(W·x + b) + t = (s·W)·x + (s·b + t).
/// </summary>
sealed class LinearLayer
{
    private readonly Node _node;
    private readonly Value _weight;

    private LinearLayer(Node node, Value weight, int channels)
    {
        _node = node;
        _weight = weight;
        Channels = channels;
    }

    /// <summary>Number of output channels.</summary>
    public int Channels { get; }

    /// <summary>Axis of the output that is the channels: 1 for convolutions, −1 (the last) for matrix products.</summary>
    public int ChannelAxis => IsConvolution ? 1 : -1;

    /// <summary>Rank of the output, or null for a MatMul, whose other operand decides.</summary>
    public int? Rank => IsConvolution ? _weight.Constant!.Rank : _node.OpType == "Gemm" ? 2 : null;

    private bool IsConvolution => _node.OpType is "Conv" or "ConvTranspose";

    /// <summary>The layer that makes a value, if it is one whose weights only it reads and whose output only <paramref name="reader"/> reads.</summary>
    public static LinearLayer? Before(Value? value, Node reader)
    {
        if (value?.Producer is not { Domain: "", OpType: "Conv" or "ConvTranspose" or "Gemm" or "MatMul" } node || value.OnlyReader() != reader
            || node.Input(1) is not { Constant: { Type: DataType.Float } weight } w || w.OnlyReader() != node)
        {
            return null;
        }

        var bias = node.Input(2)?.Constant;
        if (node.Input(2) is not null && (bias is not { Type: DataType.Float } || (node.OpType == "Gemm" && node.Float("beta", 1) != 1)))
        {
            return null;
        }

        var group = (int)node.Int("group", 1);
        var channels = node.OpType switch
        {
            "Conv" when weight.Rank > 2 => weight.Sizes[0],
            "ConvTranspose" when weight.Rank > 2 && group > 0 && weight.Sizes[0] % group == 0 => weight.Sizes[1] * group,
            "Gemm" when weight.Rank == 2 => weight.Sizes[node.Int("transB", 0) != 0 ? 0 : 1],
            "MatMul" when weight.Rank == 2 => weight.Sizes[1],
            _ => 0,
        };
        return channels is > 0 and < int.MaxValue && (bias is null || bias.Count == channels && bias.Sizes[^1] == channels || node.OpType == "Gemm" && bias.Count == 1)
            ? new LinearLayer(node, w, (int)channels) : null;
    }

    /// <summary>
    /// Folds y ← scale·y + shift, per channel, into weights and bias. A MatMul has no bias: there <paramref name="shift"/> must be null.
    /// </summary>
    public void Absorb(double[]? scale, double[]? shift)
    {
        var graph = _node.Graph;
        if (scale is not null)
        {
            var weight = _weight.Constant!;
            var scaled = graph.AddInitializer(_weight.Name + "_scaled", Scaled(weight, scale));
            _node.SetInput(1, scaled);
            Forget(_weight);
        }

        var old = _node.Input(2);
        if (shift is null && (old is null || scale is null))
        {
            return;
        }

        var before = old?.Constant?.ToArray<float>() ?? [0f];
        var bias = new float[Channels];
        for (var i = 0; i < bias.Length; i++)
        {
            bias[i] = (float)(before[before.Length == 1 ? 0 : i] * (scale?[i] ?? 1) + (shift?[i] ?? 0));
        }

        _node.SetInput(2, graph.AddInitializer(old is null ? _weight.Name + "_bias" : old.Name + "_scaled", Tensor.Of(bias, bias.Length)));
        if (old is not null)
        {
            Forget(old);
        }
    }

    private static void Forget(Value value)
    {
        if (value is { IsUnused: true, Initializer: not null, IsGraphInput: false })
        {
            value.Graph.SetInitializer(value, null);
        }
    }

    private Tensor Scaled(Tensor weight, double[] scale)
    {
        // Which channel an element belongs to: (index / inner) mod count, plus the group's first channel for ConvTranspose.
        var (inner, count, perGroup) = _node.OpType switch
        {
            "Conv" => (weight.Count / Channels, (long)Channels, long.MaxValue),
            "ConvTranspose" => (weight.Count / weight.Sizes[0] / weight.Sizes[1], weight.Sizes[1],
                weight.Count / _node.Int("group", 1)),
            "Gemm" when _node.Int("transB", 0) != 0 => (weight.Sizes[1], (long)Channels, long.MaxValue),
            _ => (1L, (long)Channels, long.MaxValue),
        };
        return new Tensor(DataType.Float, weight.Sizes.AsSpan(), new ComputedContent(weight.ByteLength, () =>
        {
            var result = new byte[weight.ByteLength];
            var to = MemoryMarshal.Cast<byte, float>(result.AsSpan());
            using var from = weight.Read<float>();
            for (var i = 0; i < to.Length; i++)
            {
                var channel = i / inner % count + i / perGroup * count;
                to[i] = (float)(from.Span[i] * scale[channel]);
            }

            return result;
        }));
    }
}
