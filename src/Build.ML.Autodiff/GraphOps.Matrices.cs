using Build.ML.Graph;
using Build.ML.Graph.Ir;

namespace Build.ML.Autodiff;

/// <content>Products, sums over axes, and moves.</content>
public sealed partial class GraphOps
{
    /// <summary>
    /// alpha · op(a) · op(b) over the last two axes, op a transposition or nothing; leading axes broadcast. Gemm for matrices, FusedMatMul for batches: an explicit Transpose costs a pass.
    /// </summary>
    /// <param name="a">[…, M, K], or [.., K, M] when <paramref name="transposeA"/>.</param>
    /// <param name="b">[…, K, N], or [.., N, K] when <paramref name="transposeB"/>.</param>
    /// <param name="transposeA">Whether a is transposed.</param>
    /// <param name="transposeB">Whether b is transposed.</param>
    /// <param name="alpha">Factor; default 1.</param>
    public Value MatMul(Value a, Value b, bool transposeA = false, bool transposeB = false, float alpha = 1)
    {
        if (a.Rank() == 2 && b.Rank() == 2)
        {
            return transposeA || transposeB || alpha != 1
                ? Node("Gemm", [a, b], NodeAttribute.Int("transA", transposeA ? 1 : 0), NodeAttribute.Int("transB", transposeB ? 1 : 0), NodeAttribute.Float("alpha", alpha))
                : Node("MatMul", [a, b]);
        }

        return transposeA || transposeB || alpha != 1
            ? Node(
                Microsoft, "FusedMatMul", [a, b], null, NodeAttribute.Int("transA", transposeA ? 1 : 0), NodeAttribute.Int("transB", transposeB ? 1 : 0),
                NodeAttribute.Float("alpha", alpha))
            : Node("MatMul", [a, b]);
    }

    /// <summary>Sum over axes.</summary>
    /// <param name="a">Summed.</param>
    /// <param name="axes">Axes, from 0 or from −1; none leaves a as it is.</param>
    /// <param name="keep">Whether the axes stay with size 1; default true.</param>
    public Value ReduceSum(Value a, ReadOnlySpan<long> axes, bool keep = true) => Reduce("ReduceSum", a, axes, keep);

    /// <summary>Mean over axes.</summary>
    /// <param name="a">Averaged.</param>
    /// <param name="axes">Axes, from 0 or from −1; none leaves a as it is.</param>
    /// <param name="keep">Whether the axes stay with size 1; default true.</param>
    public Value ReduceMean(Value a, ReadOnlySpan<long> axes, bool keep = true) => Reduce("ReduceMean", a, axes, keep);

    /// <summary>A reduction over axes.</summary>
    /// <param name="opType">ReduceSum, ReduceMax, …</param>
    /// <param name="a">Reduced.</param>
    /// <param name="axes">Axes, from 0 or from −1; none leaves a as it is.</param>
    /// <param name="keep">Whether the axes stay with size 1.</param>
    public Value Reduce(string opType, Value a, ReadOnlySpan<long> axes, bool keep) =>
        axes.Length == 0 ? a : Node(opType, [a, Integers(axes)], NodeAttribute.Int("keepdims", keep ? 1 : 0));

    /// <summary>Σ a·b of values of equal sizes, one element: a product of rows, which reads both once and writes nothing, unlike a sum over a product.</summary>
    public Value Dot(Value a, Value b)
    {
        var rows = a.Rank() > 1 ? a.Size(0) : 1;
        if (rows <= 1)
        {
            return Reshape(MatMul(Reshape(a, 1, a.Count()), Reshape(b, 1, b.Count()), transposeB: true), 1);
        }

        // Row by row, so that each thread has some of them and each row's sum is one thread's whatever their number.
        var width = a.Count() / rows;
        return Total(MatMul(Reshape(a, rows, 1, width), Reshape(b, rows, 1, width), transposeB: true));
    }

    /// <summary>The mean of all elements: a scalar.</summary>
    public Value Mean(Value a) => Node("ReduceMean", [a], NodeAttribute.Int("keepdims", 0));

    /// <summary>The sum of all elements: a scalar.</summary>
    public Value Total(Value a) => Node("ReduceSum", [a], NodeAttribute.Int("keepdims", 0));

    /// <summary>Sums a value down to sizes that broadcast to its own: the gradient of broadcasting.</summary>
    /// <param name="a">Summed.</param>
    /// <param name="sizes">Sizes to reach.</param>
    public Value SumTo(Value a, ReadOnlySpan<long> sizes)
    {
        var from = a.Sizes();
        if (from.AsSpan().SequenceEqual(sizes))
        {
            return a;
        }

        var axes = new List<long>();
        for (var i = 0; i < from.Length; i++)
        {
            var inner = i - from.Length + sizes.Length;
            if (inner < 0 || sizes[inner] != from[i])
            {
                axes.Add(i);
            }
        }

        return Reshape(ReduceSum(a, axes.ToArray(), keep: false), sizes);
    }

    /// <summary>Other sizes for the same elements.</summary>
    public Value Reshape(Value a, params ReadOnlySpan<long> sizes)
    {
        if (a.Sizes().AsSpan().SequenceEqual(sizes))
        {
            return a;
        }

        if (StaticSizes.Product(sizes) != a.Count())
        {
            throw new InvalidOperationException($"'{a.Name}' [{string.Join(',', a.Sizes())}] has another number of elements than [{string.Join(',', sizes.ToArray())}].");
        }

        return Node("Reshape", [a, Integers(sizes)], StaticSizes.Product(sizes) == 0 ? [NodeAttribute.Int("allowzero", 1)] : []);
    }

    /// <summary>Axes in another order.</summary>
    /// <param name="a">Permuted.</param>
    /// <param name="order">For each axis of the result the axis of <paramref name="a"/> that it is.</param>
    public Value Transpose(Value a, params ReadOnlySpan<long> order)
    {
        var same = true;
        for (var i = 0; i < order.Length; i++)
        {
            same &= order[i] == i;
        }

        return same ? a : Node("Transpose", [a], NodeAttribute.Ints("perm", order));
    }

    /// <summary>Repeats axes of size 1.</summary>
    public Value Expand(Value a, params ReadOnlySpan<long> sizes) => a.Sizes().AsSpan().SequenceEqual(sizes) ? a : Node("Expand", [a, Integers(sizes)]);

    /// <summary>A part of a value.</summary>
    /// <param name="a">Cut.</param>
    /// <param name="axes">Axes that are cut.</param>
    /// <param name="starts">First index along each.</param>
    /// <param name="ends">Index behind the last along each.</param>
    /// <param name="steps">Step along each; empty for 1.</param>
    public Value Slice(Value a, ReadOnlySpan<long> axes, ReadOnlySpan<long> starts, ReadOnlySpan<long> ends, ReadOnlySpan<long> steps = default)
    {
        var whole = true;
        for (var i = 0; i < axes.Length; i++)
        {
            whole &= starts[i] == 0 && ends[i] >= a.Size((int)axes[i]) && (steps.IsEmpty || steps[i] == 1);
        }

        return whole ? a : Node("Slice", steps.IsEmpty ? [a, Integers(starts), Integers(ends), Integers(axes)] : [a, Integers(starts), Integers(ends), Integers(axes), Integers(steps)]);
    }

    /// <summary>Values one after another along an axis.</summary>
    public Value Concat(int axis, params ReadOnlySpan<Value> values) => values.Length == 1 ? values[0] : Node("Concat", values.ToArray(), NodeAttribute.Int("axis", axis));

    /// <summary>Zeros around a value; negative numbers cut.</summary>
    /// <param name="a">Padded.</param>
    /// <param name="pads">Begins of all axes, then ends of all axes.</param>
    public Value Pad(Value a, params ReadOnlySpan<long> pads)
    {
        foreach (var pad in pads)
        {
            if (pad != 0)
            {
                return Node("Pad", [a, Integers(pads)]);
            }
        }

        return a;
    }

    /// <summary>Parts of a value along an axis.</summary>
    public Value[] Split(Value a, int axis, params ReadOnlySpan<long> sizes) =>
        sizes.Length == 1 ? [a] : Nodes("Split", [a, Integers(sizes)], sizes.Length, NodeAttribute.Int("axis", axis));

    /// <summary>
    /// The gradient of picking slices: zeros with <paramref name="axis"/> of size <paramref name="size"/>, to which slice i of <paramref name="parts"/> is added at index indices[i].
    /// ScatterElements adds one element after another in order: ScatterND races where an index repeats.
    /// </summary>
    /// <param name="parts">Its <paramref name="axis"/> has as many slices as there are indices.</param>
    /// <param name="axis">From 0.</param>
    /// <param name="size">Size along the axis that the indices point into.</param>
    /// <param name="indices">Integers, rank 1; negative ones count from the end.</param>
    public Value ScatterAdd(Value parts, int axis, long size, Value indices)
    {
        var sizes = parts.Sizes();
        var (before, after) = (StaticSizes.Product(sizes.AsSpan()[..axis]), StaticSizes.Product(sizes.AsSpan()[(axis + 1)..]));
        long[] whole = [.. sizes[..axis], size, .. sizes[(axis + 1)..]];
        if (Run(indices) is { } first)
        {
            // Neighbours in order, such as one index: zeros around them.
            var pads = new long[2 * whole.Length];
            (pads[axis], pads[axis + whole.Length]) = (first, size - first - sizes[axis]);
            return Pad(parts, pads);
        }

        var count = sizes[axis];
        var (three, at) = before == 1 ? (new[] { count, after }, 0) : ([before, count, after], 1);
        var target = before == 1 ? Zeros(size, after) : Zeros(before, size, after);
        var index = Expand(Reshape(indices, at == 0 ? [count, 1] : [1, count, 1]), three);
        return Reshape(
            Node("ScatterElements", [target, index, Reshape(parts, three)], NodeAttribute.Int("axis", at), NodeAttribute.String("reduction", "add")), whole);

        long? Run(Value value)
        {
            if (value.Constant is not { } tensor || tensor.Count == 0)
            {
                return null;
            }

            var known = tensor.Type == DataType.Int32 ? Array.ConvertAll(tensor.ToArray<int>(), v => (long)v) : tensor.ToArray<long>();
            var start = known[0] < 0 ? known[0] + size : known[0];
            for (var i = 1; i < known.Length; i++)
            {
                if ((known[i] < 0 ? known[i] + size : known[i]) != start + i)
                {
                    return null;
                }
            }

            return start;
        }
    }
}
