using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;

namespace Build.ML.Autodiff.Tests.Reference;

/// <content>Operators that move elements, and shapes.</content>
public static partial class ReferenceOperators
{
    public static DoubleTensor[] Constant(Node node, DoubleTensor?[] x) => [DoubleTensor.Of((Tensor)node.Attribute("value")!.Value!)];

    public static DoubleTensor[] ConstantOfShape(Node node, DoubleTensor?[] x)
    {
        var y = DoubleTensor.OfSizes(x[0]!.Integers());
        if (node.Attribute("value")?.Value is Tensor value)
            Array.Fill(y.Data, DoubleTensor.Of(value).Data[0]);
        return [y];
    }

    public static DoubleTensor[] Shape(Node node, DoubleTensor?[] x) => [new([x[0]!.Rank], Array.ConvertAll(x[0]!.Sizes, s => (double)s))];

    public static DoubleTensor[] Reshape(Node node, DoubleTensor?[] x)
    {
        long[] sizes = [.. x[1]!.Integers().Select((s, d) => s == 0 ? x[0]!.Sizes[d] : s)];
        if (Array.IndexOf(sizes, -1) is >= 0 and var open)
        {
            sizes[open] = 1;
            sizes[open] = x[0]!.Data.Length / DoubleTensor.Product(sizes);
        }
        return [x[0]!.Reshape(sizes)];
    }

    public static DoubleTensor[] Flatten(Node node, DoubleTensor?[] x)
    {
        var first = DoubleTensor.Product(x[0]!.Sizes.AsSpan(0, x[0]!.Axis(node.Int("axis", 1))));
        return [x[0]!.Reshape(first, x[0]!.Data.Length / first)];
    }

    public static DoubleTensor[] Squeeze(Node node, DoubleTensor?[] x)
    {
        int[] axes = x.Length > 1 ? [.. x[1]!.Integers().Select(x[0]!.Axis)] : [.. Enumerable.Range(0, x[0]!.Rank).Where(d => x[0]!.Sizes[d] == 1)];
        return [x[0]!.Reshape([.. x[0]!.Sizes.Where((_, d) => !axes.Contains(d))])];
    }

    public static DoubleTensor[] Unsqueeze(Node node, DoubleTensor?[] x)
    {
        var rank = x[0]!.Rank + x[1]!.Data.Length;
        var axes = x[1]!.Integers().Select(a => (int)(a < 0 ? a + rank : a)).ToHashSet();
        var sizes = new Queue<long>(x[0]!.Sizes);
        return [x[0]!.Reshape([.. Enumerable.Range(0, rank).Select(d => axes.Contains(d) ? 1 : sizes.Dequeue())])];
    }

    public static DoubleTensor[] Transpose(Node node, DoubleTensor?[] x)
    {
        var t = x[0]!;
        int[] order = node.Ints("perm") is { IsDefault: false } perm ? [.. perm.Select(p => (int)p)] : [.. Enumerable.Range(0, t.Rank).Reverse()];
        var from = new long[t.Rank];
        return [t.Pick([.. order.Select(o => t.Sizes[o])], i =>
        {
            for (var d = 0; d < order.Length; d++)
                from[order[d]] = i[d];
            return from;
        })];
    }

    public static DoubleTensor[] Expand(Node node, DoubleTensor?[] x) => [DoubleTensor.Zip(x[0]!, DoubleTensor.OfSizes(x[1]!.Integers()), (a, _) => a)];

    public static DoubleTensor[] Tile(Node node, DoubleTensor?[] x)
    {
        var t = x[0]!;
        return [t.Pick([.. t.Sizes.Zip(x[1]!.Integers(), (s, r) => s * r)], i => [.. i.Zip(t.Sizes, (at, s) => at % s)])];
    }

    public static DoubleTensor[] Trilu(Node node, DoubleTensor?[] x)
    {
        var (upper, k) = (node.Int("upper", 1) != 0, x.Length > 1 && x[1] is { } offset ? (long)offset.Data[0] : 0);
        return [x[0]!.Pick(x[0]!.Sizes, i => (upper ? i[^1] - i[^2] >= k : i[^1] - i[^2] <= k) ? i : null)];
    }

    public static DoubleTensor[] Gather(Node node, DoubleTensor?[] x)
    {
        var axis = x[0]!.Axis(node.Int("axis", 0));
        var (before, along, behind) = x[0]!.Around(axis);
        var y = DoubleTensor.OfSizes([.. x[0]!.Sizes[..axis], .. x[1]!.Sizes, .. x[0]!.Sizes[(axis + 1)..]]);
        var count = x[1]!.Data.Length;
        for (var i = 0; i < before; i++)
            for (var j = 0; j < count; j++)
            {
                var at = (int)x[1]!.Data[j];
                x[0]!.Data.AsSpan((i * along + (at < 0 ? at + along : at)) * behind, behind).CopyTo(y.Data.AsSpan((i * count + j) * behind));
            }
        return [y];
    }

    public static DoubleTensor[] Concat(Node node, DoubleTensor?[] x)
    {
        var axis = x[0]!.Axis(node.Int("axis", 0));
        long[] sizes = [.. x[0]!.Sizes];
        sizes[axis] = x.Sum(t => t!.Sizes[axis]);
        var (y, start) = (DoubleTensor.OfSizes(sizes), 0);
        var (before, along, behind) = y.Around(axis);
        foreach (var part in x)
        {
            var length = part!.Around(axis).Along * behind;
            for (var i = 0; i < before; i++)
                part.Data.AsSpan(i * length, length).CopyTo(y.Data.AsSpan(i * along * behind + start));
            start += length;
        }
        return [y];
    }

    public static DoubleTensor[] Split(Node node, DoubleTensor?[] x)
    {
        var axis = x[0]!.Axis(node.Int("axis", 0));
        var sizes = x.Length > 1 && x[1] is { } given ? given.Integers() : [.. node.Outputs.Select(_ => x[0]!.Sizes[axis] / node.Outputs.Count)];
        long start = 0;
        return [.. sizes.Select(size =>
        {
            long[] part = [.. x[0]!.Sizes];
            part[axis] = size;
            var from = start;
            start += size;
            return x[0]!.Pick(part, i => [.. i.Select((at, d) => d == axis ? at + from : at)]);
        })];
    }

    public static DoubleTensor[] Slice(Node node, DoubleTensor?[] x)
    {
        var (t, starts, ends) = (x[0]!, x[1]!.Integers(), x[2]!.Integers());
        int[] axes = x.Length > 3 && x[3] is { } named ? [.. named.Integers().Select(t.Axis)] : [.. Enumerable.Range(0, starts.Length)];
        var steps = x.Length > 4 && x[4] is { } given ? given.Integers() : [.. starts.Select(_ => 1L)];
        var (sizes, first, step) = ((long[])[.. t.Sizes], new long[t.Rank], Enumerable.Repeat(1L, t.Rank).ToArray());
        for (var k = 0; k < axes.Length; k++)
        {
            var (d, size) = (axes[k], t.Sizes[axes[k]]);
            step[d] = steps[k];
            var (low, high) = step[d] > 0 ? (0L, size) : (-1L, size - 1);
            first[d] = Math.Clamp(starts[k] < 0 ? starts[k] + size : starts[k], step[d] > 0 ? 0 : low + 1, high);
            var end = Math.Clamp(ends[k] < 0 ? ends[k] + size : ends[k], low, high);
            sizes[d] = Math.Max(0, (end - first[d] + step[d] - Math.Sign(step[d])) / step[d]);
        }
        return [t.Pick(sizes, i => [.. i.Select((at, d) => first[d] + at * step[d])])];
    }

    // With zeros.
    public static DoubleTensor[] Pad(Node node, DoubleTensor?[] x)
    {
        var (t, pads) = (x[0]!, x[1]!.Integers());
        if (node.String("mode", "constant") != "constant" || (x.Length > 2 && x[2] is { } value && value.Data[0] != 0))
            throw new NotSupportedException("Pads other than zeros in the reference.");
        return [t.Pick([.. t.Sizes.Select((s, d) => s + pads[d] + pads[d + t.Rank])], i =>
        {
            long[] from = [.. i.Select((at, d) => at - pads[d])];
            return from.Zip(t.Sizes).All(p => p.First >= 0 && p.First < p.Second) ? from : null;
        })];
    }
}
