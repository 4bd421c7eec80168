namespace Build.ML.OnnxRuntime.Kernels.Convolution;

/// <summary>The elements of an image that have one remainder of row and column: what they get is a sum of shifted copies of the windows' numbers.</summary>
internal sealed unsafe class ScatterPhase
{
    private readonly ScatterAxis.Phase _rows;
    private readonly ScatterAxis.Phase _columns;
    private readonly int _pitch;
    private readonly int _kernelColumns;
    private readonly int[] _offsets;
    private readonly long _weights;

    /// <summary>One phase.</summary>
    /// <param name="rows">Of the rows.</param>
    /// <param name="columns">Of the columns.</param>
    /// <param name="plane">Floats of a laid-out channel.</param>
    /// <param name="pitch">Length of its rows.</param>
    /// <param name="outputs">Channels of the windows in a group.</param>
    /// <param name="kernelColumns">Columns of the kernel.</param>
    /// <param name="weights">Where this phase's packed weights begin.</param>
    public ScatterPhase(ScatterAxis.Phase rows, ScatterAxis.Phase columns, int plane, int pitch, int outputs, int kernelColumns, long weights)
    {
        (_rows, _columns, _pitch, _kernelColumns, _weights) = (rows, columns, pitch, kernelColumns, weights);
        _offsets = new int[outputs * rows.Taps.Length * columns.Taps.Length];
        var i = 0;
        for (var o = 0; o < outputs; o++)
        {
            foreach (var (_, rowShift) in rows.Taps)
            {
                foreach (var (_, columnShift) in columns.Taps)
                {
                    _offsets[i++] = (o * plane) + ((rows.Start - rowShift) * pitch) + columns.Start - columnShift;
                }
            }
        }
    }

    /// <summary>Terms of each sum.</summary>
    public int Terms => _offsets.Length;

    /// <summary>Length of the run from the first element to the last, up to whole lanes.</summary>
    public int PaddedSpan => (((_rows.Count - 1) * _pitch) + _columns.Count + ConvolutionShape.Lanes - 1) / ConvolutionShape.Lanes * ConvolutionShape.Lanes;

    /// <summary>Packs the weights of this phase's taps: [group][channels/8][terms][8], or [group][terms] where each channel stands alone.</summary>
    public void PackWeights(float* w, int taps, int group, int channels, bool depthwise, float* packed)
    {
        packed += _weights;
        var outputs = _rows.Taps.Length * _columns.Taps.Length == 0 ? 0 : Terms / (_rows.Taps.Length * _columns.Taps.Length);
        var step = depthwise ? 1 : ShiftedSums.Rows;
        for (var g = 0; g < group; g++)
        {
            for (var first = 0; first < channels; first += step)
            {
                for (var o = 0; o < outputs; o++)
                {
                    foreach (var (row, _) in _rows.Taps)
                    {
                        foreach (var (column, _) in _columns.Taps)
                        {
                            for (var r = 0; r < step; r++)
                            {
                                *packed++ = first + r < channels
                                    ? w[(((((long)g * outputs) + o) * channels) + first + r) * taps + (row * _kernelColumns) + column]
                                    : 0;
                            }
                        }
                    }
                }
            }
        }
    }

    /// <summary>Computes this phase of the channels of one group of one image.</summary>
    public void Run(float* planes, float* packed, int group, int channels, bool depthwise, float* runs, float* image, int imageRows, int imageColumns)
    {
        packed += _weights;
        var (span, plane) = (PaddedSpan, (long)imageRows * imageColumns);
        fixed (int* offsets = _offsets)
        {
            if (depthwise)
            {
                ShiftedSum.Compute(planes, offsets, Terms, packed + (group * Terms), runs, span);
                Store(runs, image, imageColumns);
                return;
            }

            packed += PackedWeights.Floats(channels, Terms) * group;
            for (var c = 0; c < channels; c += ShiftedSums.Rows)
            {
                ShiftedSums.Compute(planes, offsets, Terms, packed + ((long)c * Terms), runs, span);
                for (var r = 0; r < Math.Min(ShiftedSums.Rows, channels - c); r++)
                {
                    Store(runs + (r * span), image + ((c + r) * plane), imageColumns);
                }
            }
        }
    }

    private void Store(float* run, float* image, int imageColumns)
    {
        for (var row = 0; row < _rows.Count; row++, run += _pitch)
        {
            var to = image + ((long)(_rows.Element + (row * _rows.Stride)) * imageColumns) + _columns.Element;
            if (_columns.Stride == 1)
            {
                new ReadOnlySpan<float>(run, _columns.Count).CopyTo(new Span<float>(to, _columns.Count));
                continue;
            }

            for (var x = 0; x < _columns.Count; x++)
            {
                to[x * _columns.Stride] = run[x];
            }
        }
    }
}
