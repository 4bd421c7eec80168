using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;

namespace Build.ML.Autodiff.Rules;

/// <summary>Resize is linear in the image and works axis by axis, y = A·x along each; its gradient is Aᵀ·g, with A a constant (<see cref="ResizeMatrix"/>).</summary>
[Gradients]
public sealed class ResizeGradients : GradientTable
{
    /// <summary>Names the rules.</summary>
    public ResizeGradients() => Rule("Resize", (n, g, op) =>
    {
        if (n.Int("antialias", 0) != 0 || n.String("coordinate_transformation_mode", "half_pixel") == "tf_crop_and_resize")
        {
            throw new DiagnosticException(
                "BML8108",
                $"{n.Node.DisplayName} has no gradient: Resize with antialias or tf_crop_and_resize is not differentiable here, and trainable weights come before it. "
                + "Export the model without these, or train only weights behind it.");
        }

        var scales = n.Has(2) ? Scales(n) : [];
        int[] axes = n.Ints("axes") is { } some ? [.. some.Select(a => (int)(a < 0 ? a + n.X.Rank() : a))] : [.. Enumerable.Range(0, n.X.Rank())];
        for (var i = 0; i < axes.Length; i++)
        {
            var (axis, size, resized) = (axes[i], n.X.Size(axes[i]), n.Y.Size(axes[i]));
            var scale = scales.Length > 0 ? scales[i] : (float)resized / size;
            if (size != resized || scale != 1)
            {
                g = Along(g, axis, ResizeMatrix.Of(n, size, resized, scale), size, op);
            }
        }

        return [g];
    });

    // Aᵀ along an axis. Where each element is only repeated, the sum over its copies.
    private static Value Along(Value g, int axis, float[] matrix, long size, GraphOps op)
    {
        long[] sizes = [.. g.Sizes()];
        var resized = sizes[axis];
        var (before, after) = (StaticSizes.Product(sizes.AsSpan()[..axis]), StaticSizes.Product(sizes.AsSpan()[(axis + 1)..]));
        sizes[axis] = size;
        if (resized % size == 0 && Repeats(matrix, size, resized))
        {
            return op.Reshape(op.ReduceSum(op.Reshape(g, before, size, resized / size, after), [2], keep: false), sizes);
        }

        var a = op.Constant(Tensor.Of(matrix, resized, size));
        return op.Reshape(
            after == 1 ? op.MatMul(op.Reshape(g, before, resized), a) : op.MatMul(op.Transpose(a, 1, 0), op.Reshape(g, before, resized, after)), sizes);
    }

    private static bool Repeats(float[] matrix, long size, long resized)
    {
        for (var i = 0; i < resized; i++)
        {
            if (matrix[(i * size) + (i * size / resized)] != 1)
            {
                return false;
            }
        }

        return true;
    }

    private static float[] Scales(Forward n) => n.Input(2).Constant is { } tensor ? tensor.ToArray<float>() : throw new DiagnosticException(
        "BML8105", $"{n.Node.DisplayName}: input 2 ('{n.Input(2).Name}') is computed when the model runs; its gradient needs it as a constant.");
}
