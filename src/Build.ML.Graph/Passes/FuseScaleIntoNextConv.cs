using System.Runtime.InteropServices;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;

namespace Build.ML.Graph.Passes;

/// <summary>
/// Folds a factor and an offset, one for all elements or one per channel, into the Conv that reads them: W·(a·x) = (a·W)·x, and where the Conv pads nothing,
/// W·(x + c) + b = W·x + (ΣW·c + b). Before a Conv that pads, a·x + c becomes a·(x + c/a), so that at least the factor goes: zeros of the padding stay
/// zeros under a factor, not under an offset. Networks with learnable scales behind activations (PP-LCNetV3) are full of them.
/// </summary>
[GraphPass("fuse-scale-into-next-conv", Order = 330)]
public sealed class FuseScaleIntoNextConv : IGraphPass
{
    /// <inheritdoc/>
    public int Run(Model model)
    {
        ArgumentNullException.ThrowIfNull(model);
        var fused = 0;
        foreach (var graph in model.Graphs())
        {
            foreach (var node in graph.Nodes)
            {
                while (node.Is("Conv") && TryFuse(node))
                {
                    fused++;
                }
            }
        }

        return fused;
    }

    private static bool TryFuse(Node conv)
    {
        if (conv.Input(1) is not { Constant: { Type: DataType.Float, Rank: > 2 } tensor } weight || weight.OnlyReader() != conv
            || conv.Input(2) is { Constant: not { Type: DataType.Float } } || conv.Input(0)?.Producer is not { } before || before.Outputs[0].OnlyReader() != conv)
        {
            return false;
        }

        var group = conv.Int("group", 1);
        var channels = tensor.Sizes[1] * group;
        if (Operand(before, "Mul", channels, tensor.Rank) is var (scaled, factors))
        {
            conv.SetInput(0, scaled);
            conv.Graph.Remove(before);
            Scale(conv, weight, factors);
            return true;
        }

        if (Operand(before, "Add", channels, tensor.Rank) is not var (shifted, offsets))
        {
            return false;
        }

        if (PadsNothing(conv))
        {
            conv.SetInput(0, shifted);
            conv.Graph.Remove(before);
            Shift(conv, weight, offsets);
            return true;
        }

        return TryMoveFactor(conv, weight, before, shifted, offsets, channels);
    }

    // a·x + c → a·(x + c/a), and a into the weights.
    private static bool TryMoveFactor(Node conv, Value weight, Node add, Value product, float[] offsets, long channels)
    {
        if (product.Producer is not { } mul || product.OnlyReader() != add || Operand(mul, "Mul", channels, weight.Constant!.Rank) is not var (x, factors))
        {
            return false;
        }

        var length = Math.Max(factors.Length, offsets.Length);
        var quotients = new float[length];
        for (var i = 0; i < length; i++)
        {
            quotients[i] = offsets[offsets.Length == 1 ? 0 : i] / factors[factors.Length == 1 ? 0 : i];
        }

        if (!quotients.All(float.IsFinite))
        {
            return false;
        }

        long[] sizes = length == 1 ? [1] : [length, .. Enumerable.Repeat(1L, weight.Constant!.Rank - 2)];
        var constant = add.Graph.AddInitializer(add.Outputs[0].Name + "_offset", Tensor.Of(quotients, sizes));
        add.SetInputs(x, constant);
        add.Graph.Remove(mul);
        Scale(conv, weight, factors);
        return true;
    }

    /// <summary>The operand that is not constant, and the constant: one number, or one per channel.</summary>
    private static (Value X, float[] Constant)? Operand(Node node, string opType, long channels, int rank)
    {
        if (!node.Is(opType) || node.Inputs is not [{ } a, { } b] || a.Constant is null == b.Constant is null)
        {
            return null;
        }

        var (x, constant) = b.Constant is null ? (b, a.Constant!) : (a, b.Constant);
        var perChannel = constant.Count == channels && constant.Rank >= rank - 1 && constant.Rank <= rank && constant.Sizes[constant.Rank - rank + 1] == channels;
        return constant.Type == DataType.Float && constant.Rank <= rank && (constant.Count == 1 || perChannel) ? (x, constant.ToArray<float>()) : null;
    }

    private static bool PadsNothing(Node conv) => conv.String("auto_pad", "NOTSET") switch
    {
        "NOTSET" => conv.Ints("pads") is var pads && (pads.IsDefault || pads.All(p => p == 0)),
        "VALID" => true,
        _ => false,
    };

    private static void Scale(Node conv, Value weight, float[] factors)
    {
        var tensor = weight.Constant!;
        var channelOf = ChannelOf(conv, tensor);
        conv.SetInput(1, conv.Graph.AddInitializer(weight.Name + "_scaled", new Tensor(DataType.Float, tensor.Sizes.AsSpan(), new ComputedContent(tensor.ByteLength, () =>
        {
            var result = new byte[tensor.ByteLength];
            var to = MemoryMarshal.Cast<byte, float>(result.AsSpan());
            using var from = tensor.Read<float>();
            for (var i = 0; i < to.Length; i++)
            {
                to[i] = from.Span[i] * factors[factors.Length == 1 ? 0 : channelOf(i)];
            }

            return result;
        }))));
        Forget(weight);
    }

    private static void Shift(Node conv, Value weight, float[] offsets)
    {
        var tensor = weight.Constant!;
        var channelOf = ChannelOf(conv, tensor);
        var old = conv.Input(2);
        var bias = old?.Constant!.ToArray<float>() ?? new float[tensor.Sizes[0]];
        var perOutput = tensor.Count / tensor.Sizes[0];
        using (var from = tensor.Read<float>())
        {
            for (var output = 0; output < bias.Length; output++)
            {
                double sum = bias[output];
                for (var i = output * perOutput; i < (output + 1) * perOutput; i++)
                {
                    sum += (double)from.Span[(int)i] * offsets[offsets.Length == 1 ? 0 : channelOf(i)];
                }

                bias[output] = (float)sum;
            }
        }

        conv.SetInput(2, conv.Graph.AddInitializer((old ?? weight).Name + "_shifted", Tensor.Of(bias, bias.Length)));
        if (old is not null)
        {
            Forget(old);
        }
    }

    /// <summary>The input channel that an element of the weight [outputs, inputs/group, …] multiplies.</summary>
    private static Func<long, long> ChannelOf(Node conv, Tensor weight)
    {
        long perGroup = weight.Sizes[1], kernel = weight.Sizes[0] == 0 || perGroup == 0 ? 1 : weight.Count / weight.Sizes[0] / perGroup;
        var outputsPerGroup = Math.Max(weight.Sizes[0] / Math.Max(conv.Int("group", 1), 1), 1);
        return i => i / (kernel * perGroup) / outputsPerGroup * perGroup + i / kernel % perGroup;
    }

    private static void Forget(Value value)
    {
        if (value is { IsUnused: true, Initializer: not null, IsGraphInput: false })
        {
            value.Graph.SetInitializer(value, null);
        }
    }
}
