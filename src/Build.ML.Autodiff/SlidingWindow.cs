using Build.ML.Graph.Ir;

namespace Build.ML.Autodiff;

/// <summary>A window that slides over the spatial axes of an image [N, C, spatial…], with its padding worked out: of a convolution, a pool, or a Col2Im.</summary>
/// <param name="Image">Spatial sizes of the image.</param>
/// <param name="Kernel">Number of taps along each axis.</param>
/// <param name="Strides">Distance of neighbouring windows.</param>
/// <param name="Dilations">Distance of neighbouring taps.</param>
/// <param name="Begins">Padding before the first element.</param>
/// <param name="Ends">Padding behind the last element, as declared: the last windows may reach further (ceil_mode) or not as far.</param>
/// <param name="Windows">Number of windows along each axis.</param>
internal sealed record SlidingWindow(long[] Image, long[] Kernel, long[] Strides, long[] Dilations, long[] Begins, long[] Ends, long[] Windows)
{
    /// <summary>Number of taps.</summary>
    public long Taps => StaticSizes.Product(Kernel);

    /// <summary>Number of windows over one image.</summary>
    public long Positions => StaticSizes.Product(Windows);

    /// <summary>Whether windows do not overlap.</summary>
    public bool IsDisjoint => Kernel.Zip(Strides, Dilations).All(a => (a.First - 1) * a.Third < a.Second);

    /// <summary>Whether each window is one element and the next window the next element.</summary>
    public bool IsPointwise => Taps == 1 && Strides.All(s => s == 1) && Begins.All(p => p == 0) && Ends.All(p => p == 0);

    /// <summary>The attributes of an operator with this window, padding resolved.</summary>
    public NodeAttribute[] Attributes =>
    [
        NodeAttribute.Ints("kernel_shape", Kernel), NodeAttribute.Ints("strides", Strides), NodeAttribute.Ints("dilations", Dilations),
        NodeAttribute.Ints("pads", [.. Begins, .. Ends]),
    ];

    /// <summary>The window of a Conv or pool node.</summary>
    /// <param name="n">The node; input 0 is the image, output 0 has one element per window.</param>
    /// <param name="kernel">Taps where no attribute says, else null.</param>
    public static SlidingWindow Of(Forward n, ReadOnlySpan<long> kernel)
    {
        long[] image = [.. n.X.Sizes()[2..]];
        long[] windows = [.. n.Y.Sizes()[2..]];
        var (k, strides, dilations) = Read(n, kernel, image.Length);
        var (begins, ends) = Pads(n, i => ((windows[i] - 1) * strides[i]) + ((k[i] - 1) * dilations[i]) + 1 - image[i], image.Length);
        return new(image, k, strides, dilations, begins, ends, windows);
    }

    /// <summary>The window of a ConvTranspose node, which scatters what a Conv of the same attributes gathers: its output is the image.</summary>
    public static SlidingWindow OfTransposed(Forward n, ReadOnlySpan<long> kernel)
    {
        long[] image = [.. n.Y.Sizes()[2..]];
        long[] windows = [.. n.X.Sizes()[2..]];
        var (k, strides, dilations) = Read(n, kernel, image.Length);
        var extra = n.Ints("output_padding");
        long Total(int i) => ((windows[i] - 1) * strides[i]) + (extra is { } e ? e[i] : 0) + ((k[i] - 1) * dilations[i]) + 1 - image[i];
        var automatic = n.String("auto_pad", "NOTSET") is "SAME_UPPER" or "SAME_LOWER";
        var (begins, ends) = n.Ints("output_shape") is null || automatic ? Pads(n, Total, image.Length)
            : (Each(image.Length, i => Math.Max(0, Total(i)) - (Math.Max(0, Total(i)) / 2)), Each(image.Length, i => Math.Max(0, Total(i)) / 2));
        return new(image, k, strides, dilations, begins, ends, windows);
    }

    /// <summary>From the first to the last element that the windows reach along an axis, padding included.</summary>
    public long Reach(int axis) => ((Windows[axis] - 1) * Strides[axis]) + ((Kernel[axis] - 1) * Dilations[axis]) + 1;

    /// <summary>What every window sees at each tap: [N, C, windows…], taps in row-major order. Padding reads as 0.</summary>
    public Value[] Gather(Value image, GraphOps op)
    {
        var rank = Image.Length;
        var pads = new long[2 * (rank + 2)];
        for (var i = 0; i < rank; i++)
        {
            pads[i + 2] = Begins[i];
            pads[i + rank + 4] = Math.Max(0, Reach(i) - Begins[i] - Image[i]);
        }

        var padded = op.Pad(image, pads);
        var taps = new Value[Taps];
        long[] axes = Each(rank, i => i + 2);
        for (var tap = 0; tap < taps.Length; tap++)
        {
            var starts = new long[rank];
            for (var (i, rest) = (rank - 1, (long)tap); i >= 0; i--)
            {
                (rest, var index) = Math.DivRem(rest, Kernel[i]);
                starts[i] = index * Dilations[i];
            }

            taps[tap] = op.Slice(padded, axes, starts, Each(rank, i => starts[i] + ((Windows[i] - 1) * Strides[i]) + 1), Strides);
        }

        return taps;
    }

    /// <summary>
    /// Adds up in each image element what the windows that see it hold, weighted by tap: the transposed convolution. It is the gradient of a convolution, and with weights of 1 that of a
    /// sum over windows.
    /// </summary>
    /// <param name="windows">[N, group·M, windows…].</param>
    /// <param name="weights">[group·M, C/group, kernel…].</param>
    /// <param name="group">Number of groups.</param>
    /// <param name="op">Emits nodes.</param>
    /// <returns>[N, C, image…].</returns>
    public Value Scatter(Value windows, Value weights, long group, GraphOps op)
    {
        var rank = Image.Length;
        var missing = Each(rank, i => Image[i] + Begins[i] - Reach(i)); // of the elements behind the last window's, negative where it reaches into padding
        var pads = new long[2 * rank];
        for (var i = 0; i < rank; i++)
        {
            pads[i] = Begins[i];
            pads[i + rank] = Math.Max(0, -missing[i]);
        }

        return op.Node(
            "ConvTranspose", [windows, weights], NodeAttribute.Ints("kernel_shape", Kernel), NodeAttribute.Ints("strides", Strides), NodeAttribute.Ints("dilations", Dilations),
            NodeAttribute.Ints("pads", pads), NodeAttribute.Ints("output_padding", Each(rank, i => Math.Max(0, missing[i]))), NodeAttribute.Int("group", group));
    }

    private static (long[] Kernel, long[] Strides, long[] Dilations) Read(Forward n, ReadOnlySpan<long> kernel, int rank)
    {
        long[] Of(string name) => n.Ints(name) is { } given ? [.. given] : Each(rank, _ => 1);
        return (n.Ints("kernel_shape") is { } given ? [.. given] : kernel.ToArray(), Of("strides"), Of("dilations"));
    }

    private static (long[] Begins, long[] Ends) Pads(Forward n, Func<int, long> total, int rank)
    {
        long Half(int i) => Math.Max(0, total(i)) / 2;
        long Rest(int i) => Math.Max(0, total(i)) - Half(i);
        return n.String("auto_pad", "NOTSET") switch
        {
            "SAME_UPPER" => (Each(rank, Half), Each(rank, Rest)),
            "SAME_LOWER" => (Each(rank, Rest), Each(rank, Half)),
            "VALID" => (new long[rank], new long[rank]),
            _ when n.Ints("pads") is { } pads => (Each(rank, i => pads[i]), Each(rank, i => pads[i + rank])),
            _ => (new long[rank], new long[rank]),
        };
    }

    private static long[] Each(int rank, Func<int, long> value) => [.. Enumerable.Range(0, rank).Select(value)];
}
