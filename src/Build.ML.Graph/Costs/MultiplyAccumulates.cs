using Build.ML.Graph.Ir;

namespace Build.ML.Graph.Costs;

/// <summary>Sizes of a value, or null when they are not known.</summary>
/// <param name="value">A value, or null for an input that is left out.</param>
public delegate long[]? SizesOf(Value? value);

/// <summary>
/// Multiply-accumulates of one node from the sizes of its tensors, by operator. Operators without a rule (elementwise, pooling, normalization, data
/// movement) do none worth counting.
/// </summary>
public static class MultiplyAccumulates
{
    private static readonly Dictionary<string, Func<Node, SizesOf, long?>> Rules = new(StringComparer.Ordinal)
    {
        // out [n, m, …], w [m, c/group, k…]: each output element sums c/group·∏k products.
        ["Conv"] = (n, s) => Product(s(n.Outputs[0])) * Product(s(n.Input(1)), from: 1),
        ["FusedConv"] = (n, s) => Product(s(n.Outputs[0])) * Product(s(n.Input(1)), from: 1),
        ["ConvInteger"] = (n, s) => Product(s(n.Outputs[0])) * Product(s(n.Input(1)), from: 1),
        ["QLinearConv"] = (n, s) => Product(s(n.Outputs[0])) * Product(s(n.Input(3)), from: 1),

        // x [n, c, …], w [c, m/group, k…]: each input element goes into m/group·∏k products.
        ["ConvTranspose"] = (n, s) => Product(s(n.Input(0))) * Product(s(n.Input(1)), from: 1),

        // out [.., m, n], a [.., m, k]: each output element sums k products.
        ["MatMul"] = (n, s) => Product(s(n.Outputs[0])) * Last(s(n.Input(0))),
        ["MatMulInteger"] = (n, s) => Product(s(n.Outputs[0])) * Last(s(n.Input(0))),
        ["QLinearMatMul"] = (n, s) => Product(s(n.Outputs[0])) * Last(s(n.Input(0))),
        ["DynamicQuantizeMatMul"] = (n, s) => Product(s(n.Outputs[0])) * Last(s(n.Input(0))),
        ["MatMulIntegerToFloat"] = (n, s) => Product(s(n.Outputs[0])) * Last(s(n.Input(0))),
        ["MatMulNBits"] = (n, s) => Product(s(n.Outputs[0])) * Last(s(n.Input(0))),
        ["FusedMatMul"] = (n, s) => Product(s(n.Outputs[0])) * (n.Int("transA", 0) != 0 ? Last(s(n.Input(0)), 2) : Last(s(n.Input(0)))),
        ["Gemm"] = (n, s) => Product(s(n.Outputs[0])) * (n.Int("transA", 0) != 0 ? First(s(n.Input(0))) : Last(s(n.Input(0)))),

        // x [steps, batch, in] (or batch first), w [directions, gates·hidden, in], r [directions, gates·hidden, hidden]: at each step each gate sums over both.
        ["LSTM"] = Recurrent,
        ["GRU"] = Recurrent,
        ["RNN"] = Recurrent,
    };

    /// <summary>Whether nodes of this operator multiply and accumulate.</summary>
    public static bool Counts(Node node)
    {
        ArgumentNullException.ThrowIfNull(node);
        return Rules.ContainsKey(node.OpType);
    }

    /// <summary>Multiply-accumulates of a node, 0 where its operator has no rule, null where sizes are not known.</summary>
    /// <param name="node">The node.</param>
    /// <param name="sizes">Sizes of its inputs and outputs.</param>
    public static long? Of(Node node, SizesOf sizes)
    {
        ArgumentNullException.ThrowIfNull(node);
        return Rules.TryGetValue(node.OpType, out var rule) ? rule(node, sizes) : 0;
    }

    private static long? Recurrent(Node node, SizesOf sizes) =>
        sizes(node.Input(0)) is [var a, var b, _] ? a * b * (Product(sizes(node.Input(1))) + Product(sizes(node.Input(2)))) : null;

    private static long? Product(long[]? sizes, int from = 0) => sizes?.Skip(from).Aggregate(1L, (product, size) => checked(product * size));

    private static long? Last(long[]? sizes, int fromEnd = 1) => sizes is { } s && s.Length >= fromEnd ? s[^fromEnd] : null;

    private static long? First(long[]? sizes) => sizes is [var first, ..] ? first : null;
}
