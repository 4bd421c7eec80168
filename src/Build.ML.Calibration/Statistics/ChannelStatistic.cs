using System.Numerics.Tensors;
using System.Text;
using Tensor = Build.ML.Graph.Tensors.Tensor;

namespace Build.ML.Calibration.Statistics;

/// <summary>What an activation's channels are like; each array has one element a channel.</summary>
public sealed class ChannelSummary
{
    /// <summary>Values seen of each channel.</summary>
    public long Count { get; internal set; }

    /// <summary>Number of channels; 0 before the first batch.</summary>
    public int Channels => Minimum.Length;

    /// <summary>Least value.</summary>
    public float[] Minimum { get; internal set; } = [];

    /// <summary>Greatest value.</summary>
    public float[] Maximum { get; internal set; } = [];

    /// <summary>Mean of x.</summary>
    public double[] Mean => Over(Sum);

    /// <summary>Mean of |x|.</summary>
    public double[] MeanMagnitude => Over(SumOfMagnitudes);

    /// <summary>Mean of x².</summary>
    public double[] MeanSquare => Over(SumOfSquares);

    internal double[] Sum { get; set; } = [];

    internal double[] SumOfMagnitudes { get; set; } = [];

    internal double[] SumOfSquares { get; set; } = [];

    private double[] Over(double[] sums) => Array.ConvertAll(sums, s => s / Count);
}

/// <summary>Extremes and means of each channel of an activation.</summary>
/// <param name="axis">The axis of channels; negative counts from the end: −1 for inputs of MatMul and Gemm, 1 for those of Conv. Default −1.</param>
public sealed class ChannelStatistic(int axis = -1) : ActivationStatistic<ChannelSummary>
{
    // Rows added up in binary32 before they are added to the binary64 sums.
    private const int Block = 64;

    /// <inheritdoc/>
    public override string Name => $"channels of axis {axis}";

    /// <inheritdoc/>
    public override ChannelSummary Create() => new();

    /// <inheritdoc/>
    /// <exception cref="InvalidOperationException">The activation has no such axis, or another number of channels than before.</exception>
    public override bool Add(ChannelSummary seen, Tensor activation)
    {
        var channelAxis = axis < 0 ? axis + activation.Rank : axis;
        if (channelAxis < 0 || channelAxis >= activation.Rank)
        {
            throw new InvalidOperationException($"A {activation} has no axis {axis}.");
        }

        var channels = (int)activation.Sizes[channelAxis];
        if (seen.Channels == 0)
        {
            seen.Minimum = Filled(channels, float.PositiveInfinity);
            seen.Maximum = Filled(channels, float.NegativeInfinity);
            (seen.Sum, seen.SumOfMagnitudes, seen.SumOfSquares) = (new double[channels], new double[channels], new double[channels]);
        }
        else if (channels != seen.Channels)
        {
            throw new InvalidOperationException($"A {activation} has {channels} channels, batches before had {seen.Channels}.");
        }

        if (activation.Count == 0)
        {
            return true;
        }

        using var elements = FloatView.Of(activation);
        var inner = 1L;
        for (var i = channelAxis + 1; i < activation.Rank; i++)
        {
            inner *= activation.Sizes[i];
        }

        seen.Count += activation.Count / channels;
        return inner == 1 ? AddRows(seen, elements.Span, channels) : AddRuns(seen, elements.Span, channels, (int)inner);
    }

    /// <inheritdoc/>
    public override void Write(ChannelSummary seen, Stream to)
    {
        using var writer = new BinaryWriter(to, Encoding.UTF8, leaveOpen: true);
        writer.Write(seen.Count);
        writer.Write(seen.Channels);
        for (var i = 0; i < seen.Channels; i++)
        {
            writer.Write(seen.Minimum[i]);
            writer.Write(seen.Maximum[i]);
            writer.Write(seen.Sum[i]);
            writer.Write(seen.SumOfMagnitudes[i]);
            writer.Write(seen.SumOfSquares[i]);
        }
    }

    /// <inheritdoc/>
    public override ChannelSummary Read(Stream from)
    {
        using var reader = new BinaryReader(from, Encoding.UTF8, leaveOpen: true);
        var seen = new ChannelSummary { Count = reader.ReadInt64() };
        var channels = reader.ReadInt32();
        (seen.Minimum, seen.Maximum) = (new float[channels], new float[channels]);
        (seen.Sum, seen.SumOfMagnitudes, seen.SumOfSquares) = (new double[channels], new double[channels], new double[channels]);
        for (var i = 0; i < channels; i++)
        {
            seen.Minimum[i] = reader.ReadSingle();
            seen.Maximum[i] = reader.ReadSingle();
            seen.Sum[i] = reader.ReadDouble();
            seen.SumOfMagnitudes[i] = reader.ReadDouble();
            seen.SumOfSquares[i] = reader.ReadDouble();
        }

        return seen;
    }

    // [rows, channels]
    private static bool AddRows(ChannelSummary seen, ReadOnlySpan<float> values, int channels)
    {
        float[] sum = new float[channels], magnitudes = new float[channels], squares = new float[channels], one = new float[channels];
        var finite = true;
        for (var start = 0; start < values.Length; start += Block * channels)
        {
            var block = values.Slice(start, Math.Min(Block * channels, values.Length - start));
            Array.Clear(sum);
            Array.Clear(magnitudes);
            Array.Clear(squares);
            for (var i = 0; i < block.Length; i += channels)
            {
                var row = block.Slice(i, channels);
                finite &= FiniteExtremes.WidenByColumn(row, seen.Minimum, seen.Maximum);
                TensorPrimitives.Add(sum, row, sum);
                TensorPrimitives.Abs(row, one);
                TensorPrimitives.Add(magnitudes, one, magnitudes);
                TensorPrimitives.MultiplyAdd(row, row, squares, squares);
            }

            for (var c = 0; c < channels; c++)
            {
                seen.Sum[c] += sum[c];
                seen.SumOfMagnitudes[c] += magnitudes[c];
                seen.SumOfSquares[c] += squares[c];
            }
        }

        return finite;
    }

    // [outer, channels, inner]
    private static bool AddRuns(ChannelSummary seen, ReadOnlySpan<float> values, int channels, int inner)
    {
        var finite = true;
        for (int start = 0, channel = 0; start < values.Length; start += inner, channel = channel + 1 == channels ? 0 : channel + 1)
        {
            var run = values.Slice(start, inner);
            finite &= FiniteExtremes.Widen(run, ref seen.Minimum[channel], ref seen.Maximum[channel]);
            seen.Sum[channel] += TensorPrimitives.Sum(run);
            seen.SumOfMagnitudes[channel] += TensorPrimitives.SumOfMagnitudes(run);
            seen.SumOfSquares[channel] += TensorPrimitives.SumOfSquares(run);
        }

        return finite;
    }

    private static float[] Filled(int count, float value)
    {
        var array = new float[count];
        Array.Fill(array, value);
        return array;
    }
}
