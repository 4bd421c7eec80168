namespace Build.ML.Graph.Shapes.Rules;

/// <summary>Fourier transforms and mel filters.</summary>
[ShapeRules]
sealed class SignalShapes : ShapeRuleTable
{
    public SignalShapes()
    {
        Rule("DFT", Dft);
        Rule("STFT", Stft);
        Rule("MelWeightMatrix", c =>
        {
            var bins = c.ValuesOf(0) is [var mel] ? new Dimension(mel) : Dimension.Unknown;
            var length = c.ValuesOf(1) is [var dft] ? new Dimension(dft / 2 + 1) : Dimension.Unknown;
            c.Set(0, c.Element("output_datatype", DataType.Float), new Shape(length, bins));
        });
        Rule("Rfft", c => c.Set(0, c.ElementOf(0), c.ShapeOf(0) is { } x ? Half(x) : null), Microsoft);
        Rule("Irfft", c => c.Set(0, c.ElementOf(0), null), Microsoft);
    }

    private static Shape Half(Shape x) => new([.. x.Dimensions[..^1], ((SymbolicInteger)x[-1] / 2 + 1).ToDimension(), 2]);

    /// <summary>X […, n, 1 or 2] → […, n, 2]; one-sided: n/2 + 1 on the axis.</summary>
    private static void Dft(ShapeContext c)
    {
        // The axis is an attribute in version 17 and an input since 20.
        var axis = c.Opset >= 20 ? c.HasInput(2) ? c.ValuesOf(2)?[0] : -2 : c.Int("axis", 1);
        if (c.ShapeOf(0) is not { } x || axis is null)
        {
            c.Set(0, c.ElementOf(0), c.ShapeOf(0) is { } s ? ShapeFormulas.OfRank(s.Rank) : null);
            return;
        }

        SymbolicInteger length = c.HasInput(1) ? c.DataOf(1) is { IsDefault: false } given ? given[0] : SymbolicInteger.Unknown : x[(int)axis];
        if (c.Int("onesided", 0) != 0)
        {
            length = c.Int("inverse", 0) != 0 && c.Opset >= 20 ? (length - 1) * 2 : length / 2 + 1;
        }

        c.Set(0, c.ElementOf(0), x.With(-1, 2).With((int)axis, length.ToDimension()));
    }

    /// <summary>signal [batch, n, 1 or 2] → [batch, frames, bins, 2], frames = (n − length)/step + 1.</summary>
    private static void Stft(ShapeContext c)
    {
        var step = c.ValuesOf(1) is [var s] ? s : 0;
        SymbolicInteger length = c.HasInput(3) ? c.DataOf(3) is { IsDefault: false } given ? given[0] : SymbolicInteger.Unknown
            : c.ElementOf(2).IsFloat() && c.ShapeOf(2) is { Rank: 1 } window ? window[0] : SymbolicInteger.Unknown;
        if (c.ShapeOf(0) is not { Rank: > 1 } x)
        {
            c.Set(0, c.ElementOf(0), ShapeFormulas.OfRank(4));
            return;
        }

        var frames = step > 0 ? ((SymbolicInteger)x[1] - length) / step + 1 : SymbolicInteger.Unknown;
        var bins = c.Int("onesided", 1) != 0 ? length / 2 + 1 : length;
        c.Set(0, c.ElementOf(0), new Shape(x[0], frames.ToDimension(), bins.ToDimension(), 2));
    }
}
