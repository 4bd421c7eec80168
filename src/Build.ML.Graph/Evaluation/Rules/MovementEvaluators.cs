using Build.ML.Graph.Tensors;

namespace Build.ML.Graph.Evaluation.Rules;

/// <summary>Operators that move elements without computing: they serve every element type of whole bytes.</summary>
[Evaluators]
sealed class MovementEvaluators : EvaluatorTable
{
    public MovementEvaluators()
    {
        Rule("Identity", c => c[0]);
        Rule("Reshape", Reshape);
        Rule("Flatten", Flatten);
        Rule("Squeeze", Squeeze);
        Rule("Unsqueeze", Unsqueeze);
        Rule("Transpose", Transpose);
        Rule("Expand", Expand);
        Rule("Tile", Tile);
        Rule("Slice", Slice);
        Rule("Gather", Gather);
        Rule("Concat", Concat);
        RuleForAll("Split", Split);
    }

    private static Tensor? Reshape(EvaluationContext c)
    {
        var x = c[0];
        if (c.Integers("shape", 1) is not { } sizes)
        {
            return null;
        }

        for (var i = 0; i < sizes.Length; i++)
        {
            sizes[i] = sizes[i] == 0 && c.Node.Int("allowzero", 0) == 0 ? x.Sizes[i] : sizes[i];
        }

        var inferred = Array.IndexOf(sizes, -1);
        if (inferred >= 0)
        {
            sizes[inferred] = 1;
            sizes[inferred] = x.Count / Elements.Count(sizes);
        }

        return x.Reshape(sizes);
    }

    private static Tensor Flatten(EvaluationContext c)
    {
        var x = c[0];
        var axis = c.Node.Int("axis", 1);
        var at = axis == x.Rank ? x.Rank : EvaluationContext.Axis(axis, x.Rank);
        return x.Reshape(Elements.Count(x.Sizes.AsSpan(0, at)), Elements.Count(x.Sizes.AsSpan(at, x.Rank - at)));
    }

    private static Tensor Squeeze(EvaluationContext c)
    {
        var mask = c.Integers("axes", 1) is { } axes ? EvaluationContext.AxisMask(axes, c[0].Rank) : [.. c[0].Sizes.Select(s => s == 1)];
        return c[0].Reshape([.. c[0].Sizes.Where((_, i) => !mask[i])]);
    }

    private static Tensor? Unsqueeze(EvaluationContext c)
    {
        if (c.Integers("axes", 1) is not { } axes)
        {
            return null;
        }

        var mask = EvaluationContext.AxisMask(axes, c[0].Rank + axes.Length);
        var next = 0;
        return c[0].Reshape([.. mask.Select(added => added ? 1 : c[0].Sizes[next++])]);
    }

    private static Tensor? Transpose(EvaluationContext c)
    {
        var x = c[0];
        var perm = c.Node.Ints("perm") is { IsDefault: false } given ? [.. given] : Enumerable.Range(0, x.Rank).Select(i => (long)x.Rank - 1 - i).ToArray();
        var strides = Elements.Strides(x.Sizes.AsSpan());
        return Elements.View(x, [.. perm.Select(p => x.Sizes[(int)p])], [.. perm.Select(p => strides[(int)p])]);
    }

    private static Tensor? Expand(EvaluationContext c)
    {
        var sizes = Broadcasting.Sizes(c[0].Sizes.AsSpan(), EvaluationContext.Integers(c[1]));
        return Elements.View(c[0], sizes, Broadcasting.Steps(c[0].Sizes.AsSpan(), sizes));
    }

    private static Tensor? Tile(EvaluationContext c)
    {
        var x = c[0];
        if (c.Count != 2)
        {
            return null;
        }

        // A repeat is a dimension of its own with stride 0 before the dimension it repeats.
        var repeats = EvaluationContext.Integers(c[1]);
        var strides = Elements.Strides(x.Sizes.AsSpan());
        return Elements.View(x, [.. x.Sizes.SelectMany((s, i) => new[] { repeats[i], s })], [.. strides.SelectMany(s => new[] { 0, s })])
            ?.Reshape([.. x.Sizes.Select((s, i) => s * repeats[i])]);
    }

    private static Tensor? Slice(EvaluationContext c)
    {
        var x = c[0];
        if (c.Integers("starts", 1) is not { } starts || c.Integers("ends", 2) is not { } ends)
        {
            return null;
        }

        var axes = c.Integers("axes", 3) ?? [.. Enumerable.Range(0, starts.Length).Select(i => (long)i)];
        var steps = c.Find(4) is { } given ? EvaluationContext.Integers(given) : [.. Enumerable.Repeat(1L, starts.Length)];
        var (sizes, strides) = (x.Sizes.ToArray(), Elements.Strides(x.Sizes.AsSpan()));
        long offset = 0;
        for (var i = 0; i < axes.Length; i++)
        {
            var axis = EvaluationContext.Axis(axes[i], x.Rank);
            var (size, step) = (x.Sizes[axis], steps[i]);
            var start = starts[i] < 0 ? starts[i] + size : starts[i];
            var end = ends[i] < 0 ? Math.Max(ends[i], -size - 1) + size : ends[i];
            start = step > 0 ? Math.Clamp(start, 0, size) : Math.Clamp(start, 0, Math.Max(0, size - 1));
            end = step > 0 ? Math.Clamp(end, 0, size) : Math.Clamp(end, -1, size);
            sizes[axis] = Math.Max(0, step > 0 ? (end - start + step - 1) / step : (start - end - step - 1) / -step);
            offset += start * strides[axis];
            strides[axis] *= step;
        }

        return Elements.View(x, sizes, strides, offset);
    }

    private static Tensor? Gather(EvaluationContext c)
    {
        var x = c[0];
        var width = Elements.Width(x.Type);
        if (width == 0)
        {
            return null;
        }

        var axis = EvaluationContext.Axis(c.Node.Int("axis", 0), x.Rank);
        var indices = EvaluationContext.Integers(c[1]);
        var outer = Elements.Count(x.Sizes.AsSpan(0, axis));
        var inner = checked((int)(Elements.Count(x.Sizes.AsSpan()[(axis + 1)..]) * width));
        var bytes = new byte[checked(outer * indices.Length * inner)];
        using var view = x.Read<byte>();
        var at = 0;
        for (long o = 0; o < outer; o++)
        {
            foreach (var index in indices)
            {
                var row = o * x.Sizes[axis] + EvaluationContext.Axis(index, checked((int)x.Sizes[axis]));
                view.Span.Slice(checked((int)(row * inner)), inner).CopyTo(bytes.AsSpan(at));
                at += inner;
            }
        }

        return Tensor.OfBytes(x.Type, bytes, [.. x.Sizes[..axis], .. c[1].Sizes, .. x.Sizes[(axis + 1)..]]);
    }

    private static Tensor? Concat(EvaluationContext c)
    {
        var first = c[0];
        var width = Elements.Width(first.Type);
        var axis = EvaluationContext.Axis(c.Node.Int("axis", 1), first.Rank);
        var sizes = first.Sizes.ToArray();
        sizes[axis] = Enumerable.Range(0, c.Count).Sum(i => c[i].Sizes[axis]);
        if (width == 0 || Enumerable.Range(0, c.Count).Any(i => c[i].Type != first.Type))
        {
            return null;
        }

        var bytes = new byte[checked(Elements.Count(sizes) * width)];
        var outer = Elements.Count(sizes.AsSpan(0, axis));
        var row = bytes.Length / Math.Max(1, outer);
        long at = 0;
        for (var i = 0; i < c.Count; i++)
        {
            var piece = (int)(c[i].ByteLength / Math.Max(1, outer));
            using var view = c[i].Read<byte>();
            for (long o = 0; o < outer; o++)
            {
                view.Span.Slice((int)(o * piece), piece).CopyTo(bytes.AsSpan((int)(o * row + at)));
            }

            at += piece;
        }

        return Tensor.OfBytes(first.Type, bytes, sizes);
    }

    private static Tensor[]? Split(EvaluationContext c)
    {
        var x = c[0];
        var axis = EvaluationContext.Axis(c.Node.Int("axis", 0), x.Rank);
        var count = c.Node.Outputs.Count;
        var even = (x.Sizes[axis] + count - 1) / count;
        var parts = c.Integers("split", 1) ?? [.. Enumerable.Range(0, count).Select(i => Math.Min(even, x.Sizes[axis] - i * even))];
        var strides = Elements.Strides(x.Sizes.AsSpan());
        var outputs = new Tensor[parts.Length];
        long start = 0;
        for (var i = 0; i < parts.Length; i++)
        {
            var sizes = x.Sizes.SetItem(axis, parts[i]);
            if (Elements.View(x, sizes.AsSpan(), strides, start * strides[axis]) is not { } part)
            {
                return null;
            }

            outputs[i] = part;
            start += parts[i];
        }

        return outputs;
    }
}
