using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;

namespace Build.ML.Autodiff.Rules;

/// <summary>Pools: the largest element of each window gets its gradient, or all elements get a share.</summary>
[Gradients]
public sealed class PoolingGradients : GradientTable
{
    /// <summary>Names the rules.</summary>
    public PoolingGradients()
    {
        Form("MaxPool", (n, op) => n.Output(1) is null && n.Needs(0) && !HasKernel(n, op) ? MaxWithIndices(n.X, n.Node.Attributes.Where(a => a.Name != "storage_order"), op) : null);
        Form("GlobalMaxPool", (n, op) => n.Needs(0) ? MaxWithIndices(n.X, [NodeAttribute.Ints("kernel_shape", n.X.Sizes().AsSpan()[2..])], op)[..1] : null);
        Rule("MaxPool", (n, g, op) => [n.Gradient(0) is null ? null : Max(n, g, op)]);
        Rule("MaxUnpool", (n, g, op) =>
        [
            op.Reshape(op.Node("GatherElements", [op.Reshape(g, g.Count()), op.Reshape(n.Input(1), n.X.Count())], NodeAttribute.Int("axis", 0)), n.X.Sizes().AsSpan()),
        ]);
        Rule("AveragePool", (n, g, op) =>
        {
            var window = SlidingWindow.Of(n, []);
            return [Spread(window, op.Mul(g, op.Constant(Shares(window, n.Int("count_include_pad", 0) != 0))), n, op)];
        });
        Rule("GlobalAveragePool", (n, g, op) => [op.Div(g, StaticSizes.Product(n.X.Sizes().AsSpan()[2..]))]);
        Rule("LpPool", (n, g, op) =>
        {
            var p = n.Int("p", 2);
            return [op.Mul(OfNorm(n.X, p, op), Spread(SlidingWindow.Of(n, []), op.Mul(g, OfSum(n.Y, p, op)), n, op))];
        });
        Rule("GlobalLpPool", (n, g, op) => [op.Mul(OfNorm(n.X, n.Int("p", 2), op), op.Mul(g, OfSum(n.Y, n.Int("p", 2), op)))]);
    }

    private static Value[] MaxWithIndices(Value x, IEnumerable<NodeAttribute> attributes, GraphOps op) => op.Nodes("MaxPool", [x], 2, [.. attributes]);

    private static bool HasKernel(Forward n, GraphOps op) => n.X.Rank() == 4 && op.Kernels.Contains("MaxPoolGradient");

    private static Value Max(Forward n, Value g, GraphOps op)
    {
        var window = SlidingWindow.Of(n, []);
        if (HasKernel(n, op))
        {
            return op.Kernel("MaxPoolGradient", [g, n.X], [n.X.Sizes()], window.Attributes)[0];
        }

        var indices = n.Output(1) is { } given && n.Int("storage_order", 0) == 0
            ? given
            : MaxWithIndices(n.X, n.Node.Attributes.Where(a => a.Name != "storage_order"), op)[1];
        var sizes = n.X.Sizes();
        // MaxUnpool takes no padding: it wants room for every window.
        if (window.IsDisjoint && Enumerable.Range(0, window.Image.Length).All(i => window.Begins[i] == 0 && window.Reach(i) <= window.Image[i]))
        {
            return op.Node(
                "MaxUnpool", [g, indices, op.Integers(sizes.AsSpan())], NodeAttribute.Ints("kernel_shape", window.Kernel), NodeAttribute.Ints("strides", window.Strides));
        }

        // Indices count elements of the whole of x; an element that is the largest of several windows gets the sum of their gradients.
        var flat = op.Node(
            "ScatterElements", [op.Zeros(n.X.Count()), op.Reshape(indices, g.Count()), op.Reshape(g, g.Count())], NodeAttribute.Int("axis", 0),
            NodeAttribute.String("reduction", "add"));
        return op.Reshape(flat, sizes.AsSpan());
    }

    // Every element gets what all windows that see it hold; channels are images of their own, so that one kernel of ones serves.
    private static Value Spread(SlidingWindow window, Value ofWindows, Forward n, GraphOps op)
    {
        var images = n.X.Size(0) * n.X.Size(1);
        var ones = new float[window.Taps];
        Array.Fill(ones, 1);
        var spread = window.Scatter(op.Reshape(ofWindows, [images, 1, .. window.Windows]), op.Constant(Tensor.Of(ones, [1, 1, .. window.Kernel])), 1, op);
        return op.Reshape(spread, n.X.Sizes().AsSpan());
    }

    // One over the number of elements that each window averages: without padding, or with declared padding; what ceil_mode adds behind it never counts.
    private static Tensor Shares(SlidingWindow window, bool countPadding)
    {
        var shares = new float[window.Positions];
        Array.Fill(shares, 1);
        var inner = shares.Length;
        for (var axis = 0; axis < window.Windows.Length; axis++)
        {
            inner /= (int)window.Windows[axis];
            for (var i = 0; i < shares.Length; i++)
            {
                var start = (i / inner % window.Windows[axis] * window.Strides[axis]) - window.Begins[axis];
                var (low, high) = countPadding ? (-window.Begins[axis], window.Image[axis] + window.Ends[axis]) : (0, window.Image[axis]);
                var count = 0;
                for (var tap = 0; tap < window.Kernel[axis]; tap++)
                {
                    var at = start + (tap * window.Dilations[axis]);
                    count += at >= low && at < high ? 1 : 0;
                }

                shares[i] /= count;
            }
        }

        return Tensor.Of(shares, [1, 1, .. window.Windows]);
    }

    // y = (Σ|x|^p)^(1/p): dy/dx = x·|x|^(p−2) · y^(1−p), 0 where y is 0.
    private static Value OfNorm(Value x, long p, GraphOps op) => p switch
    {
        1 => op.Sign(x),
        2 => x,
        _ => op.Mul(op.Sign(x), op.Pow(op.Abs(x), p - 1)),
    };

    private static Value OfSum(Value y, long p, GraphOps op) =>
        p == 1 ? op.Scalar(1) : op.Where(op.Compare("Equal", y, op.Scalar(0)), op.Scalar(0), op.Pow(y, 1 - p));
}
