using Build.ML.Graph.Ir;

namespace Build.ML.Autodiff.Rules;

/// <summary>Operators that put tensors together or take them apart along axes.</summary>
[Gradients]
public sealed class JoiningGradients : GradientTable
{
    /// <summary>Names the rules.</summary>
    public JoiningGradients()
    {
        Rule("Concat", Concat);
        Rule("Split", (n, g, op) =>
        {
            var parts = new Value[n.Node.Outputs.Count];
            for (var i = 0; i < parts.Length; i++)
            {
                parts[i] = n.Gradient(i) ?? op.Zeros(n.Node.Outputs[i].Sizes().AsSpan());
            }

            return [op.Concat(n.Axis("axis", 0), parts)];
        });
        Rule("Slice", (n, g, op) => [Slice(n, g, op)]);
    }

    private static Value?[] Concat(Forward n, Value g, GraphOps op)
    {
        var axis = n.Axis("axis", 0);
        var gradients = new Value?[n.InputCount];
        var sizes = new long[n.InputCount];
        var all = true;
        for (var i = 0; i < sizes.Length; i++)
        {
            sizes[i] = n.Input(i).Size(axis);
            all &= n.Needs(i);
        }

        if (all)
        {
            return op.Split(g, axis, sizes);
        }

        long start = 0;
        for (var i = 0; i < sizes.Length; start += sizes[i++])
        {
            gradients[i] = n.Needs(i) ? op.Slice(g, [axis], [start], [start + sizes[i]]) : null;
        }

        return gradients;
    }

    // Back to front: what was skipped by the step becomes zeros between the elements (a padded axis of size 1), what was cut zeros around them.
    private static Value Slice(Forward n, Value g, GraphOps op)
    {
        var x = n.X.Sizes();
        if (g.Count() == 0)
        {
            return op.Zeros(x.AsSpan());
        }

        var (starts, steps) = (n.Constant(1)!, n.Constant(4));
        var axes = n.Constant(3) ?? [.. Enumerable.Range(0, starts.Length).Select(i => (long)i)];
        var pads = new long[2 * x.Length];
        for (var i = 0; i < axes.Length; i++)
        {
            var axis = (int)(axes[i] < 0 ? axes[i] + x.Length : axes[i]);
            var (size, step, count) = (x[axis], steps?[i] ?? 1, n.Y.Size(axis));
            var start = Math.Clamp(starts[i] < 0 ? starts[i] + size : starts[i], 0, step < 0 ? size - 1 : size);
            if (step < 0)
            {
                g = op.Slice(g, [axis], [-1], [long.MinValue + 1], [-1]);
                start += (count - 1) * step;
                step = -step;
            }

            if (step > 1)
            {
                long[] sizes = [.. g.Sizes()];
                var between = new long[2 * (sizes.Length + 1)];
                between[sizes.Length + 1 + axis + 1] = step - 1;
                g = op.Pad(op.Reshape(g, [.. sizes[..(axis + 1)], 1, .. sizes[(axis + 1)..]]), between);
                g = op.Reshape(g, [.. sizes[..axis], count * step, .. sizes[(axis + 1)..]]);
            }

            (pads[axis], pads[axis + x.Length]) = (start, size - start - (count * step));
        }

        return op.Pad(g, pads);
    }
}
