using Build.ML.Graph.Ir;

namespace Build.ML.Autodiff.Rules;

/// <summary>
/// Convolutions of one to three spatial axes, with groups, strides, dilations and padding of any kind. The image's gradient is the transposed convolution, the weights' a product per
/// tap of what the windows see there with the output's gradient (Dumoulin and Visin, A guide to convolution arithmetic for deep learning, 2016).
/// </summary>
[Gradients]
public sealed class ConvolutionGradients : GradientTable
{
    /// <summary>Names the rules.</summary>
    public ConvolutionGradients()
    {
        Form("Conv", (n, op) =>
        {
            // Of frozen weights the runtime makes a faster form itself; a 1×1 convolution is a product, which it does well.
            var window = SlidingWindow.Of(n, n.Input(1).Sizes().AsSpan()[2..]);
            return n.X.Rank() == 4 && n.Needs(1) && !(window.IsPointwise && n.Int("group", 1) == 1) && op.Kernels.Contains("Conv")
                ? op.Kernel("Conv", [.. n.Node.Inputs], [n.Y.Sizes()], [.. window.Attributes, NodeAttribute.Int("group", n.Int("group", 1))])
                : null;
        });
        Rule("Conv", Conv);
        Rule("Conv", Conv, GraphOps.KernelDomain);
        Rule("ConvTranspose", ConvTranspose);
        Rule("Col2Im", (n, g, op) =>
        {
            // Each column is put back in its place: the gradient of a column is what it is put on.
            var window = OfColumns(n);
            var (batch, channels) = (n.Y.Size(0), n.Y.Size(1));
            var taps = window.Gather(g, op).Select(t => op.Reshape(t, batch, channels, 1, window.Positions)).ToArray();
            return [op.Reshape(op.Concat(2, taps), n.X.Sizes().AsSpan())];
        });
    }

    private static Value?[] Conv(Forward n, Value g, GraphOps op)
    {
        var (weights, group) = (n.Input(1), n.Int("group", 1));
        var window = SlidingWindow.Of(n, weights.Sizes().AsSpan()[2..]);
        return
        [
            n.Needs(0) ? ImageGradient(window, g, weights, group, op) : null,
            n.Needs(1) ? WeightGradient(window, n.X, g, weights, group, op) : null,
            n.Needs(2) ? BiasGradient(g, op) : null,
        ];
    }

    private static Value?[] ConvTranspose(Forward n, Value g, GraphOps op)
    {
        var (weights, group) = (n.Input(1), n.Int("group", 1));
        var window = SlidingWindow.OfTransposed(n, weights.Sizes().AsSpan()[2..]);
        return
        [
            n.Needs(0) ? Gathered(window, g, weights, group, op) : null,
            n.Needs(1) ? WeightGradient(window, g, n.X, weights, group, op) : null,
            n.Needs(2) ? BiasGradient(g, op) : null,
        ];
    }

    private static Value ImageGradient(SlidingWindow window, Value g, Value weights, long group, GraphOps op)
    {
        if (window.IsPointwise && group == 1)
        {
            long[] order = [1, 0, .. Enumerable.Range(2, g.Rank() - 2).Select(i => (long)i)];
            return op.Node("Conv", [g, op.Transpose(weights, order)], NodeAttribute.Ints("kernel_shape", window.Kernel));
        }

        if (g.Rank() != 4 || !op.Kernels.Contains("ConvImageGradient"))
        {
            return window.Scatter(g, weights, group, op);
        }

        long[] sizes = [g.Size(0), weights.Size(1) * group, .. window.Image];
        return op.Kernel(
            "ConvImageGradient", [g, weights], [[.. sizes]], [.. window.Attributes, NodeAttribute.Ints("image", window.Image), NodeAttribute.Int("group", group)])[0];
    }

    // A Conv over the gradient with the same weights. Padding behind the last window is cut, so that output_padding adds no window.
    private static Value Gathered(SlidingWindow window, Value g, Value weights, long group, GraphOps op)
    {
        var rank = window.Image.Length;
        long[] pads = [.. window.Begins, .. Enumerable.Range(0, rank).Select(i => window.Reach(i) - window.Begins[i] - window.Image[i])];
        if (pads.Any(p => p < 0))
        {
            g = op.Slice(
                g, [.. Enumerable.Range(2, rank).Select(i => (long)i)], [.. Enumerable.Range(0, rank).Select(i => Math.Max(0, -pads[i]))],
                [.. Enumerable.Range(0, rank).Select(i => window.Image[i] + Math.Min(0, pads[i + rank]))]);
        }

        return op.Node(
            "Conv", [g, weights], NodeAttribute.Ints("kernel_shape", window.Kernel), NodeAttribute.Ints("strides", window.Strides),
            NodeAttribute.Ints("dilations", window.Dilations), NodeAttribute.Ints("pads", [.. pads.Select(p => Math.Max(0, p))]), NodeAttribute.Int("group", group));
    }

    // dw[o, c, tap] = Σ over images and windows of g[o]·x[c at the tap]; x the image side, g the window side.
    private static Value WeightGradient(SlidingWindow window, Value image, Value windows, Value weights, long group, GraphOps op)
    {
        if (image.Rank() == 4 && op.Kernels.Contains("ConvWeightGradient"))
        {
            return op.Kernel("ConvWeightGradient", [windows, image], [weights.Sizes()], [.. window.Attributes, NodeAttribute.Int("group", group)])[0];
        }

        var (batch, outs, ins) = (windows.Size(0), windows.Size(1) / group, image.Size(1) / group);
        var perGroup = op.Reshape(windows, batch, group, outs, window.Positions);
        var taps = new List<Value>();
        foreach (var tap in window.Gather(image, op))
        {
            var seen = op.Reshape(tap, batch, group, ins, window.Positions);
            var product = ins == 1
                ? op.ReduceSum(op.Mul(perGroup, seen), [0, 3], keep: false)
                : op.ReduceSum(op.MatMul(perGroup, seen, transposeB: true), [0], keep: false);
            taps.Add(op.Reshape(product, group * outs, ins, 1));
        }

        return op.Reshape(op.Concat(2, taps.ToArray()), weights.Sizes().AsSpan());
    }

    /// <summary>The sum over all but the channels.</summary>
    private static Value BiasGradient(Value g, GraphOps op) => op.ReduceSum(g, [0, .. Enumerable.Range(2, g.Rank() - 2).Select(i => (long)i)], keep: false);

    private static SlidingWindow OfColumns(Forward n)
    {
        var (image, kernel) = (n.Constant(1)!, n.Constant(2)!);
        long[] Of(string name, long otherwise) => n.Ints(name) is { } given ? [.. given] : [.. Enumerable.Repeat(otherwise, image.Length)];
        var (strides, dilations) = (Of("strides", 1), Of("dilations", 1));
        long[] pads = n.Ints("pads") is { } given ? [.. given] : new long[2 * image.Length];
        var windows = new long[image.Length];
        for (var i = 0; i < windows.Length; i++)
        {
            windows[i] = ((image[i] + pads[i] + pads[i + image.Length] - ((kernel[i] - 1) * dilations[i]) - 1) / strides[i]) + 1;
        }

        return new(image, kernel, strides, dilations, pads[..image.Length], pads[image.Length..], windows);
    }
}
