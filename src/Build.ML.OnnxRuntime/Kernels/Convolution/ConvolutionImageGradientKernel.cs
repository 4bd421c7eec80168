namespace Build.ML.OnnxRuntime.Kernels.Convolution;

/// <summary>
/// dL/dX of a two-dimensional Conv. Inputs dL/dY [N, O, …] and W [O, C/group, …]; output [N, C, image]; attributes as Conv's, and <c>image</c>: rows and columns of X. The rows and
/// columns of X that have one remainder by the strides are together a convolution of dL/dY, with stride 1, by the taps that reach them.
/// </summary>
[RuntimeKernel("ConvImageGradient")]
internal sealed unsafe class ConvolutionImageGradientKernel : RuntimeKernel
{
    private ConvolutionAttributes _attributes = null!;
    private int[] _image = [];

    /// <inheritdoc/>
    public override int Inputs => 2;

    /// <inheritdoc/>
    public override void Initialize(KernelAttributes attributes)
    {
        _attributes = ConvolutionAttributes.Of(attributes);
        _image = attributes.Ints("image", 0, 0);
    }

    /// <inheritdoc/>
    public override void Run(KernelCall call)
    {
        var (g, w) = (call.Input(0), call.Input(1));
        var (batch, group) = (g[0], _attributes.Group);
        var (outputs, channels) = (g[1] / group, w[1]);
        var d = call.Output(0, batch, group * channels, _image[0], _image[1]);
        var rows = new ScatterAxis(_image[0], g[2], w[2], _attributes.Strides[0], _attributes.Dilations[0], _attributes.Pads[0]);
        var columns = new ScatterAxis(_image[1], g[3], w[3], _attributes.Strides[1], _attributes.Dilations[1], _attributes.Pads[1]);
        var depthwise = outputs == 1 && channels == 1;
        var plane = (((rows.Size * columns.Size) + ConvolutionShape.Lanes - 1) / ConvolutionShape.Lanes * ConvolutionShape.Lanes) | ConvolutionShape.Lanes;
        var phases = new List<ScatterPhase>();
        long weightFloats = 0;
        foreach (var row in rows.Phases)
        {
            foreach (var column in columns.Phases)
            {
                var phase = new ScatterPhase(row, column, plane, columns.Size, outputs, w[3], weightFloats);
                phases.Add(phase);
                weightFloats += depthwise ? (long)phase.Terms * group : PackedWeights.Floats(channels, phase.Terms) * group;
            }
        }

        using var weights = call.Scratch.Take(weightFloats);
        var packed = weights.Data;
        foreach (var phase in phases)
        {
            phase.PackWeights(w.Data, w[2] * w[3], group, channels, depthwise, packed);
        }

        var span = phases.Max(p => p.PaddedSpan);
        var (imageFloats, parts) = ((outputs * plane) + (4 * ConvolutionShape.Lanes), (int)Math.Min((long)batch * group, 16));
        var gradient = g.Data;
        call.Parallel(parts, part =>
        {
            using var scratch = call.Scratch.Take(imageFloats + (ShiftedSums.Rows * span));
            var planes = scratch.Data;
            var runs = scratch.Data + imageFloats;
            var units = (long)batch * group;
            for (var unit = units * part / parts; unit < units * (part + 1) / parts; unit++)
            {
                LayOut(gradient + (unit * outputs * rows.Windows * columns.Windows), outputs, rows, columns, planes, plane);
                foreach (var phase in phases)
                {
                    phase.Run(planes, packed, (int)(unit % group), channels, depthwise, runs, d + (unit * channels * _image[0] * _image[1]), _image[0], _image[1]);
                }
            }
        });
    }

    private static void LayOut(float* g, int outputs, ScatterAxis rows, ScatterAxis columns, float* planes, int plane)
    {
        var before = -columns.First;
        for (var o = 0; o < outputs; o++)
        {
            for (var y = 0; y < rows.Size; y++, planes += columns.Size)
            {
                var row = y + rows.First;
                var run = new Span<float>(planes, columns.Size);
                if (row < 0 || row >= rows.Windows)
                {
                    run.Clear();
                    continue;
                }

                // Columns first … first + size − 1 of the gradient, zeros outside.
                var (begin, skipped) = (Math.Clamp(before, 0, columns.Size), Math.Max(0, columns.First));
                var count = Math.Clamp(columns.Windows - skipped, 0, columns.Size - begin);
                run[..begin].Clear();
                new ReadOnlySpan<float>(g + ((long)row * columns.Windows) + skipped, count).CopyTo(run[begin..]);
                run[(begin + count)..].Clear();
            }

            planes += plane - (rows.Size * columns.Size);
            g += (long)rows.Windows * columns.Windows;
        }

        new Span<float>(planes, 4 * ConvolutionShape.Lanes).Clear();
    }
}
