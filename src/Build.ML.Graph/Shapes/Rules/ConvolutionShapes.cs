using System.Collections.Immutable;

namespace Build.ML.Graph.Shapes.Rules;

/// <summary>Convolutions: X [N, C, spatial…], W [M, C/group, kernel…] (ConvTranspose: [C, M/group, kernel…]) → [N, M, spatial…].</summary>
[ShapeRules]
sealed class ConvolutionShapes : ShapeRuleTable
{
    public ConvolutionShapes()
    {
        Rule("Conv", c => Conv(c, 1, c.ElementOf(0)));
        Rule("ConvInteger", c => Conv(c, 1, DataType.Int32));
        Rule("QLinearConv", c => Conv(c, 3, c.ElementOf(7)));
        Rule("DeformConv", c => Conv(c, 1, c.ElementOf(0)));
        Rule("ConvTranspose", ConvTranspose);
        Rule("Col2Im", Col2Im);
        Rule(["FusedConv", "Conv"], c => Conv(c, 1, c.ElementOf(0)), Microsoft);
        Rule("QLinearConv", c => Conv(c, 3, c.ElementOf(7)), Microsoft);
    }

    private static void Conv(ShapeContext c, int weight, DataType element)
    {
        var (x, w) = (c.ShapeOf(0), c.ShapeOf(weight));
        if (c.Int("channels_last", 0) != 0)
        {
            c.Set(0, element, null);
            return;
        }

        if (x is null || w is null)
        {
            c.Set(0, element, x is null ? null : ShapeFormulas.OfRank(x.Rank).With(0, x[0]));
            return;
        }

        if (x.Rank != w.Rank || x.Rank < 3)
        {
            c.Fail($"X {x} and W {w} must have the same rank, 3 or more");
            return;
        }

        var group = c.Int("group", 1);
        if (x[1].Size is { } channels && w[1].Size is { } perGroup && channels != checked(perGroup * group))
        {
            c.Fail($"X {x} has {channels} channels; W {w} with {group} groups takes {perGroup * group}");
            return;
        }

        var spatial = x.Rank - 2;
        var kernel = c.Ints("kernel_shape");
        var window = new SlidingWindow(c, spatial);
        var dimensions = new Dimension[x.Rank];
        (dimensions[0], dimensions[1]) = (x[0], w[0]);
        for (var i = 0; i < spatial; i++)
        {
            var size = kernel?[i] ?? w[i + 2].Size;
            dimensions[i + 2] = size is { } k ? window.Output(i, x[i + 2], k) : Dimension.Unknown;
        }

        c.Set(0, element, new Shape(dimensions));
    }

    /// <summary>size' = stride·(size − 1) + output_padding + (kernel − 1)·dilation + 1 − pads, or output_shape, or stride·size under SAME.</summary>
    private static void ConvTranspose(ShapeContext c)
    {
        if (c.ShapeOf(0) is not { } x || c.ShapeOf(1) is not { } w || x.Rank != w.Rank || x.Rank < 3)
        {
            c.Set(0, c.ElementOf(0), null);
            return;
        }

        var spatial = x.Rank - 2;
        var window = new SlidingWindow(c, spatial);
        var given = c.Ints("output_shape");
        var extra = c.Ints("output_padding");
        var kernel = c.Ints("kernel_shape");
        var dimensions = new Dimension[x.Rank];
        dimensions[0] = x[0];
        dimensions[1] = ((SymbolicInteger)w[1] * c.Int("group", 1)).ToDimension();
        for (var i = 0; i < spatial; i++)
        {
            if (given is { } sizes)
            {
                dimensions[i + 2] = sizes[i + sizes.Length - spatial];
            }
            else if (window.IsSame)
            {
                dimensions[i + 2] = ((SymbolicInteger)x[i + 2] * window.Strides[i]).ToDimension();
            }
            else if ((kernel?[i] ?? w[i + 2].Size) is { } k)
            {
                var fixedPart = checked((extra is { } p ? p[i] : 0) + (k - 1) * window.Dilations[i] + 1 - window.Pads[i] - window.Pads[i + spatial]);
                dimensions[i + 2] = (((SymbolicInteger)x[i + 2] - 1) * window.Strides[i] + fixedPart).ToDimension();
            }
        }

        c.Set(0, c.ElementOf(0), new Shape(dimensions));
    }

    private static void Col2Im(ShapeContext c)
    {
        var image = c.DataOf(1);
        if (c.ShapeOf(0) is not { Rank: 3 } x || image.IsDefault)
        {
            c.Set(0, c.ElementOf(0), null);
            return;
        }

        SymbolicInteger taps = c.ValuesOf(2) is { } block ? block.Aggregate(1L, (a, b) => checked(a * b)) : SymbolicInteger.Unknown;
        c.Set(0, c.ElementOf(0), new Shape([x[0], ((SymbolicInteger)x[1] / taps).ToDimension(), .. image.Select(d => d.ToDimension())]));
    }
}

/// <summary>The attributes of a window that slides over spatial dimensions (Conv, MaxPool, …), defaults filled in.</summary>
sealed class SlidingWindow
{
    private readonly bool _isValid;
    private readonly bool _ceil;

    public SlidingWindow(ShapeContext c, int spatial)
    {
        var ones = Enumerable.Repeat(1L, spatial).ToImmutableArray();
        Strides = c.Ints("strides") ?? ones;
        Dilations = c.Ints("dilations") ?? ones;
        Pads = c.Ints("pads") ?? [.. new long[2 * spatial]];
        var auto = c.String("auto_pad", "NOTSET");
        IsSame = auto is "SAME_UPPER" or "SAME_LOWER";
        _isValid = auto == "VALID";
        _ceil = c.Int("ceil_mode", 0) != 0;
        if (Strides.Length < spatial || Dilations.Length < spatial || Pads.Length < 2 * spatial || Strides.Any(s => s < 1))
        {
            throw new ArgumentException($"strides, dilations and pads must cover {spatial} spatial dimensions, strides from 1");
        }
    }

    public ImmutableArray<long> Strides { get; }

    public ImmutableArray<long> Dilations { get; }

    /// <summary>Pads at the beginning of all dimensions, then at the end.</summary>
    public ImmutableArray<long> Pads { get; }

    public bool IsSame { get; }

    public Dimension Output(int axis, Dimension size, long kernel) => IsSame
        ? ShapeFormulas.Same(size, Strides[axis])
        : ShapeFormulas.Window(
            size, kernel, Strides[axis], Dilations[axis], _isValid ? 0 : Pads[axis], _isValid ? 0 : Pads[axis + Pads.Length / 2], _ceil);
}
