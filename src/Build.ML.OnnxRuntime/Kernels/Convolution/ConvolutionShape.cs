using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Build.ML.OnnxRuntime.Kernels.Convolution;

/// <summary>Attributes of a two-dimensional convolution.</summary>
/// <param name="Strides">Of rows and columns.</param>
/// <param name="Dilations">Of rows and columns.</param>
/// <param name="Pads">Before rows and columns, then behind them; only the first two matter where the output's sizes are known.</param>
/// <param name="Group">Number of groups.</param>
internal sealed record ConvolutionAttributes(int[] Strides, int[] Dilations, int[] Pads, int Group)
{
    /// <summary>Reads a node's.</summary>
    public static ConvolutionAttributes Of(KernelAttributes attributes) => new(
        attributes.Ints("strides", 1, 1), attributes.Ints("dilations", 1, 1), attributes.Ints("pads", 0, 0, 0, 0), (int)attributes.Int("group", 1));
}

/// <summary>
/// A two-dimensional convolution of given sizes: X [N, C, H, W], W [O, C/group, kernel rows, kernel columns], Y [N, O, windows].
/// </summary>
/// <remarks>
/// An image is laid out so that each tap of each window lies at one offset from the window's own place, whatever stride and dilation are: padded, and split into one plane for each
/// remainder of row and column by the strides ("phases"). Rows are <see cref="Pitch"/> long; an output with rows of that length then is a sum of shifted copies of the image, one for
/// each channel and tap, over one run of <see cref="Span"/> numbers. What falls between the rows is computed too and left out.
/// </remarks>
internal sealed unsafe class ConvolutionShape
{
    /// <summary>Lanes of a sum and granularity of runs.</summary>
    public const int Lanes = 16;

    private readonly int[] _phases;

    public ConvolutionShape(ConvolutionAttributes attributes, KernelTensor x, KernelTensor w, int outRows, int outColumns)
        : this(attributes, (x[0], x[1], x[2], x[3]), (w[0], w[2], w[3]), (outRows, outColumns))
    {
    }

    public ConvolutionShape(
        ConvolutionAttributes attributes, (int Batch, int Channels, int Rows, int Columns) x, (int Outputs, int Rows, int Columns) w, (int Rows, int Columns) y)
    {
        Attributes = attributes;
        (Batch, Channels, Rows, Columns) = x;
        (Outputs, KernelRows, KernelColumns) = w;
        (OutRows, OutColumns) = y;
        (StrideRows, StrideColumns) = (attributes.Strides[0], attributes.Strides[1]);
        PhaseRows = OutRows + ((KernelRows - 1) * attributes.Dilations[0] / StrideRows);
        Pitch = OutColumns + ((KernelColumns - 1) * attributes.Dilations[1] / StrideColumns);
        _phases = new int[StrideRows * StrideColumns];
        Array.Fill(_phases, -1);
        for (var tap = 0; tap < Taps; tap++)
        {
            ref var phase = ref _phases[PhaseOf(tap)];
            phase = phase < 0 ? Phases++ : phase;
        }
    }

    public ConvolutionAttributes Attributes { get; }

    public int Batch { get; }

    public int Channels { get; }

    public int Rows { get; }

    public int Columns { get; }

    public int Outputs { get; }

    public int KernelRows { get; }

    public int KernelColumns { get; }

    public int OutRows { get; }

    public int OutColumns { get; }

    public int StrideRows { get; }

    public int StrideColumns { get; }

    public int Group => Attributes.Group;

    public int GroupChannels => Channels / Group;

    public int GroupOutputs => Outputs / Group;

    public int Taps => KernelRows * KernelColumns;

    /// <summary>Rows of a phase's plane.</summary>
    public int PhaseRows { get; }

    /// <summary>Length of a row of a plane.</summary>
    public int Pitch { get; }

    /// <summary>Phases that some tap needs.</summary>
    public int Phases { get; }

    /// <summary>Floats of one channel: an odd number of cache lines, so that channels do not fall on each other in the cache.</summary>
    public int Plane => (((Phases * PhaseRows * Pitch) + Lanes - 1) / Lanes * Lanes) | Lanes;

    /// <summary>Length of the run from the first output to the last.</summary>
    public int Span => ((OutRows - 1) * Pitch) + OutColumns;

    /// <summary><see cref="Span"/> up to whole lanes.</summary>
    public int PaddedSpan => (Span + Lanes - 1) / Lanes * Lanes;

    /// <summary>Floats of the channels of one group of one image: planes, and zeros behind the last that runs may touch.</summary>
    public int ImageFloats(int channels) => (channels * Plane) + (4 * Lanes);

    /// <summary>Offset of a tap within a channel's planes.</summary>
    public int OffsetOf(int tap)
    {
        var (row, column) = (tap / KernelColumns * Attributes.Dilations[0], tap % KernelColumns * Attributes.Dilations[1]);
        return (((_phases[PhaseOf(tap)] * PhaseRows) + (row / StrideRows)) * Pitch) + (column / StrideColumns);
    }

    /// <summary>Offsets of all taps of all channels, channel by channel.</summary>
    public void Offsets(int channels, Span<int> offsets)
    {
        for (var (c, i) = (0, 0); c < channels; c++)
        {
            for (var tap = 0; tap < Taps; tap++, i++)
            {
                offsets[i] = (c * Plane) + OffsetOf(tap);
            }
        }
    }

    /// <summary>Lays out some channels of an image.</summary>
    /// <param name="image">The first channel [H, W], others behind it.</param>
    /// <param name="channels">How many.</param>
    /// <param name="planes"><see cref="ImageFloats"/> of room.</param>
    public void LayOut(float* image, int channels, float* planes)
    {
        for (var c = 0; c < channels; c++, image += (long)Rows * Columns, planes += Plane)
        {
            for (var phase = 0; phase < _phases.Length; phase++)
            {
                if (_phases[phase] >= 0)
                {
                    LayOutPhase(image, planes + (_phases[phase] * PhaseRows * Pitch), phase / StrideColumns, phase % StrideColumns);
                }
            }

            new Span<float>(planes + (Phases * PhaseRows * Pitch), Plane - (Phases * PhaseRows * Pitch)).Clear();
        }

        new Span<float>(planes, 4 * Lanes).Clear();
    }

    private void LayOutPhase(float* image, float* plane, int phaseRow, int phaseColumn)
    {
        // Element x of a row is column x·stride + first of the image.
        var first = phaseColumn - Attributes.Pads[1];
        var begin = Math.Clamp(first >= 0 ? 0 : (-first + StrideColumns - 1) / StrideColumns, 0, Pitch);
        var end = Columns > first ? Math.Clamp(((Columns - 1 - first) / StrideColumns) + 1, begin, Pitch) : begin;
        for (var y = 0; y < PhaseRows; y++, plane += Pitch)
        {
            var row = (y * StrideRows) + phaseRow - Attributes.Pads[0];
            if (row < 0 || row >= Rows)
            {
                new Span<float>(plane, Pitch).Clear();
                continue;
            }

            var source = image + ((long)row * Columns) + first;
            for (var x = 0; x < begin; x++)
            {
                plane[x] = 0;
            }

            if (StrideColumns == 1)
            {
                new ReadOnlySpan<float>(source + begin, end - begin).CopyTo(new Span<float>(plane + begin, end - begin));
            }
            else
            {
                var x = begin;
                for (; StrideColumns == 2 && x + 8 < end; x += 8)
                {
                    // Elements 0, 2, … of 16; the last of them must exist.
                    var even = Avx.Shuffle(Vector256.Load(source + (2 * x)), Vector256.Load(source + (2 * x) + 8), 0b10_00_10_00);
                    Avx2.Permute4x64(even.AsDouble(), 0b11_01_10_00).AsSingle().Store(plane + x);
                }

                for (; x < end; x++)
                {
                    plane[x] = source[x * StrideColumns];
                }
            }

            for (var x = end; x < Pitch; x++)
            {
                plane[x] = 0;
            }
        }
    }

    private int PhaseOf(int tap) =>
        (tap / KernelColumns * Attributes.Dilations[0] % StrideRows * StrideColumns) + (tap % KernelColumns * Attributes.Dilations[1] % StrideColumns);
}
