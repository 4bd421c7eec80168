using Build.ML.Graph;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;

namespace Build.ML.Autodiff.Rules;

/// <summary>
/// Fake quantization with the straight-through estimator (Bengio et al., 2013): a QuantizeLinear and the DequantizeLinear behind it pass the gradient on where the value is within the
/// range that the integers reach, and 0 where it is cut. Scales and zero points have no gradient here. Products with weights of few bits have a gradient for the other factor.
/// </summary>
[Gradients]
public sealed class QuantizationGradients : GradientTable
{
    /// <summary>Names the rules.</summary>
    public QuantizationGradients()
    {
        Rule("DequantizeLinear", (_, g, _) => [g]);
        Rule("QuantizeLinear", (n, g, op) => [StraightThrough(n, g, op)]);
        Rule("MatMulNBits", (n, g, op) => [n.Needs(0) ? op.MatMul(g, Dequantized(n, op)) : null], Microsoft);
        Rule("MatMulBnb4", (n, g, op) => [n.Needs(0) ? op.MatMul(g, LookedUp(n, op)) : null], Microsoft);
    }

    // Numbers of 4-bit codes: FP4 of one sign, two exponent and one mantissa bit; NF4 with equally many weights of a normal distribution at each (Dettmers et al., QLoRA, 2023).
    private static readonly float[][] Codes =
    [
        [0, 0.0625f / 12, 8 / 12f, 1, 4 / 12f, 6 / 12f, 2 / 12f, 3 / 12f, 0, -0.0625f / 12, -8 / 12f, -1, -4 / 12f, -6 / 12f, -2 / 12f, -3 / 12f],
        [
            -1, -0.6961928f, -0.52507305f, -0.3949175f, -0.28444138f, -0.18477343f, -0.091050036f, 0, 0.0795803f, 0.1609302f, 0.2461123f, 0.33791524f, 0.44070983f, 0.562617f,
            0.72295684f, 1,
        ],
    ];

    private static Value StraightThrough(Forward n, Value g, GraphOps op)
    {
        var (low, high) = Range(n);
        var type = n.X.ElementType;
        var scale = Spread(n, n.Input(1), op);
        var zero = n.Has(2) ? Spread(n, op.Cast(n.Input(2), type), op) : op.Scalar(0, type);
        var least = op.Mul(op.Sub(low, zero), scale);
        var most = op.Mul(op.Sub(high, zero), scale);
        return op.Keep(op.Compare("And", op.Compare("GreaterOrEqual", n.X, least), op.Compare("LessOrEqual", n.X, most)), g);
    }

    private static (double Low, double High) Range(Forward n) => n.Y.ElementType switch
    {
        DataType.Int8 => (sbyte.MinValue, sbyte.MaxValue),
        DataType.UInt8 => (byte.MinValue, byte.MaxValue),
        DataType.Int16 => (short.MinValue, short.MaxValue),
        DataType.UInt16 => (ushort.MinValue, ushort.MaxValue),
        DataType.Int4 => (-8, 7),
        DataType.UInt4 => (0, 15),
        var other => throw n.NotDifferentiable($"to {other}"),
    };

    // A number per channel broadcasts along the axis; one per block is repeated.
    private static Value Spread(Forward n, Value numbers, GraphOps op)
    {
        var (axis, block, x) = (n.Axis("axis", 1), n.Int("block_size", 0), n.X.Sizes());
        if (block > 0)
        {
            var sizes = numbers.Sizes();
            var expanded = op.Expand(op.Reshape(numbers, [.. sizes[..(axis + 1)], 1, .. sizes[(axis + 1)..]]), [.. sizes[..(axis + 1)], block, .. sizes[(axis + 1)..]]);
            var joined = op.Reshape(expanded, [.. sizes[..axis], sizes[axis] * block, .. sizes[(axis + 1)..]]);
            return op.Slice(joined, [axis], [0], [x[axis]]);
        }

        return numbers.Count() == 1 ? op.Reshape(numbers) : op.Reshape(numbers, [numbers.Count(), .. Enumerable.Repeat(1L, x.Length - axis - 1)]);
    }

    /// <summary>The weight [N, K] of a MatMulNBits node in float: DequantizeLinear reads the same packed bytes, so that nothing of its size is stored twice.</summary>
    private static Value Dequantized(Forward n, GraphOps op)
    {
        var (bits, block, columns, inner) = (n.Int("bits", 4), n.Int("block_size", 32), n.Int("N", 0), n.Int("K", 0));
        var type = bits switch
        {
            4 => DataType.UInt4,
            8 => DataType.UInt8,
            _ => throw n.NotDifferentiable($"with weights of {bits} bits"),
        };
        if (n.Has(4) || n.Input(1).Constant is not { } packed)
        {
            throw n.NotDifferentiable(n.Has(4) ? "with reordered groups (g_idx)" : "with weights that are computed");
        }

        var blocks = (inner + block - 1) / block;
        var weights = op.Constant(new Tensor(type, [columns, blocks * block], packed.Content));
        var scales = op.Reshape(n.Input(2), columns, blocks);
        var zeros = op.Constant(n.Has(3) ? ZeroPoints(n, type, columns, blocks) : Filled(type, columns, blocks));
        var whole = op.Node("DequantizeLinear", [weights, scales, zeros], NodeAttribute.Int("axis", 1), NodeAttribute.Int("block_size", block));
        return op.Slice(whole, [1], [0], [inner]);
    }

    /// <summary>The weight [N, K] of a MatMulBnb4 node in float: two codes a byte, the first in its upper half, times the scale of their block.</summary>
    private static Value LookedUp(Forward n, GraphOps op)
    {
        var (block, columns, inner) = (n.Int("block_size", 64), n.Int("N", 0), n.Int("K", 0));
        if (columns * inner % block != 0)
        {
            throw n.NotDifferentiable($"with a weight of {columns}·{inner} elements, which blocks of {block} do not divide");
        }

        var codes = Codes[n.Int("quant_type", 0)];
        var pairs = new float[512];
        for (var i = 0; i < 256; i++)
        {
            (pairs[2 * i], pairs[(2 * i) + 1]) = (codes[i >> 4], codes[i & 15]);
        }

        var indices = op.Reshape(op.Cast(n.Input(1), DataType.Int32), columns * inner / 2);
        var numbers = op.Node("Gather", [op.Constant(Tensor.Of(pairs, 256, 2)), indices]);
        return op.Reshape(op.Mul(op.Reshape(numbers, columns * inner / block, block), op.Reshape(n.Input(2), columns * inner / block, 1)), columns, inner);
    }

    // Without zero points the middle of the range is zero.
    private static Tensor Filled(DataType type, long columns, long blocks)
    {
        var bytes = new byte[type == DataType.UInt4 ? ((columns * blocks) + 1) / 2 : columns * blocks];
        Array.Fill(bytes, (byte)(type == DataType.UInt4 ? 0x88 : 0x80));
        return Tensor.OfBytes(type, bytes, columns, blocks);
    }

    // MatMulNBits starts a byte for each column; a 4-bit tensor does not.
    private static Tensor ZeroPoints(Forward n, DataType type, long columns, long blocks)
    {
        if (n.Input(3).Constant is not { Type: DataType.UInt8 } packed)
        {
            throw n.NotDifferentiable("with zero points that are not packed integers");
        }

        var from = packed.ToArray<byte>();
        if (type == DataType.UInt8)
        {
            return Tensor.OfBytes(type, from, columns, blocks);
        }

        var (to, stride) = (new byte[((columns * blocks) + 1) / 2], (blocks + 1) / 2);
        for (long c = 0; c < columns; c++)
        {
            for (long b = 0; b < blocks; b++)
            {
                var nibble = (from[(c * stride) + (b / 2)] >> (int)(4 * (b % 2))) & 15;
                var at = (c * blocks) + b;
                to[at / 2] |= (byte)(nibble << (int)(4 * (at % 2)));
            }
        }

        return Tensor.OfBytes(type, to, columns, blocks);
    }
}
