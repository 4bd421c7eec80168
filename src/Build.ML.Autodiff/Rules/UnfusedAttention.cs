using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;

namespace Build.ML.Autodiff.Rules;

/// <summary>
/// Scaled dot-product attention (Vaswani et al., Attention Is All You Need, 2017) as MatMul, Softmax, MatMul over queries [B, H, S, D], keys [B, G, T, D] and values [B, G, T, E] with H a
/// multiple of G. Shared keys are not repeated: the queries of one group are rows of one product.
/// </summary>
internal static class UnfusedAttention
{
    /// <summary>What masked scores get added: exp is 0, and a row with nothing left stays finite.</summary>
    public const float Masked = -1e30f;

    /// <summary>[B, H, S, E].</summary>
    /// <param name="op">Emits nodes.</param>
    /// <param name="q">Queries.</param>
    /// <param name="k">Keys.</param>
    /// <param name="v">Values.</param>
    /// <param name="scale">Factor of the scores; 0 for 1/√D.</param>
    /// <param name="softcap">Above 0: scores s become softcap·tanh(s/softcap).</param>
    /// <param name="biases">Added to the scores; broadcast to [B, H, S, T].</param>
    public static Value Attend(GraphOps op, Value q, Value k, Value v, float scale, float softcap, params IEnumerable<Value> biases)
    {
        var (b, h, s, t, groups) = (q.Size(0), q.Size(1), q.Size(2), k.Size(2), k.Size(1));
        var rows = h / groups * s;
        var factor = scale != 0 ? scale : (float)(1 / Math.Sqrt(q.Size(3)));
        var scores = op.Reshape(op.MatMul(op.Reshape(q, b, groups, rows, q.Size(3)), k, false, true, factor), b, h, s, t);
        if (softcap > 0)
        {
            scores = op.Mul(op.Tanh(op.Div(scores, softcap)), softcap);
        }

        foreach (var bias in biases)
        {
            scores = op.Add(scores, bias);
        }

        var probabilities = op.Node("Softmax", [scores], NodeAttribute.Int("axis", -1));
        return op.Reshape(op.MatMul(op.Reshape(probabilities, b, groups, rows, t), v), b, h, s, v.Size(3));
    }

    /// <summary>[B, S, H·D] → [B, H, S, D].</summary>
    public static Value SplitHeads(GraphOps op, Value x, long heads) =>
        op.Transpose(op.Reshape(x, x.Size(0), x.Size(1), heads, x.Size(2) / heads), 0, 2, 1, 3);

    /// <summary>[B, H, S, D] → [B, S, H·D].</summary>
    public static Value MergeHeads(GraphOps op, Value x) => op.Reshape(op.Transpose(x, 0, 2, 1, 3), x.Size(0), x.Size(2), x.Size(1) * x.Size(3));

    /// <summary>A constant [S, T] that masks what is later than a row's position, and what is <paramref name="window"/> positions or more before it.</summary>
    /// <param name="op">Emits nodes.</param>
    /// <param name="rows">S.</param>
    /// <param name="columns">T.</param>
    /// <param name="offset">Position of the first row.</param>
    /// <param name="window">How many positions a row sees, its own included; 0 for all.</param>
    public static Value Causal(GraphOps op, long rows, long columns, long offset, long window = 0)
    {
        var bias = new float[rows * columns];
        for (long i = 0; i < rows; i++)
        {
            for (long j = 0; j < columns; j++)
            {
                bias[(i * columns) + j] = j > i + offset || (window > 0 && j <= i + offset - window) ? Masked : 0;
            }
        }

        return op.Constant(Tensor.Of(bias, rows, columns));
    }

    /// <summary>0 where a boolean mask holds, <see cref="Masked"/> elsewhere.</summary>
    public static Value OfBooleans(GraphOps op, Value mask) => op.Where(mask, op.Scalar(0), op.Scalar(Masked));
}
