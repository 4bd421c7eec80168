using Build.ML.Graph.Tensors;

namespace Build.ML.Graph.Evaluation.Rules;

/// <summary>Padding with a constant.</summary>
[Evaluators]
sealed class PaddingEvaluators : EvaluatorTable
{
    public PaddingEvaluators() => Rule("Pad", Pad);

    private static Tensor? Pad(EvaluationContext c)
    {
        var x = c[0];
        var width = Elements.Width(x.Type);
        if (c.Node.String("mode", "constant") != "constant" || c.Integers("pads", 1) is not { } pads || pads.Any(p => p < 0) || c.Find(3) is not null
            || width == 0 || x.Rank == 0 || c.Node.Float("value", 0) != 0)
        {
            return null;
        }

        var sizes = x.Sizes.Select((s, i) => s + pads[i] + pads[i + x.Rank]).ToArray();
        var bytes = new byte[checked(Elements.Count(sizes) * width)];
        if (c.Find(2) is { } fill)
        {
            using var value = fill.Read<byte>();
            for (var i = 0; i < bytes.Length; i += width)
            {
                value.Span.CopyTo(bytes.AsSpan(i));
            }
        }

        // Rows of the last dimension are copied whole.
        var strides = Elements.Strides(sizes);
        var row = (int)x.Sizes[^1] * width;
        var index = new long[x.Rank - 1];
        using var view = x.Read<byte>();
        var at = 0;
        while (at < view.Span.Length)
        {
            var target = pads[x.Rank - 1];
            for (var i = 0; i < index.Length; i++)
            {
                target += (index[i] + pads[i]) * strides[i];
            }

            view.Span.Slice(at, row).CopyTo(bytes.AsSpan((int)target * width));
            at += row;
            Elements.Next(index, x.Sizes.AsSpan()[..^1]);
        }

        return Tensor.OfBytes(x.Type, bytes, sizes);
    }
}
