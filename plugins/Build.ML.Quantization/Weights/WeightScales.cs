using Build.ML.Graph.Tensors;

namespace Build.ML.Quantization.Weights;

/// <summary>The scales fitted to one weight.</summary>
/// <param name="Format">How the weight is stored.</param>
/// <param name="Layout">The weight by channels; one channel when there is one scale a tensor.</param>
/// <param name="Scales">One for each channel.</param>
/// <param name="ZeroPoints">One for each channel, whole numbers.</param>
/// <param name="Signal">Σw².</param>
/// <param name="Noise">Σ(w − ŵ)².</param>
internal sealed record WeightScales(
    WeightFormat Format, ChannelLayout Layout, float[] Scales, float[] ZeroPoints, double Signal, double Noise)
{
    /// <summary>Least integer used.</summary>
    public int Least => Format.Least;

    /// <summary>Greatest integer used.</summary>
    public int Greatest => Format.Greatest;

    /// <summary>Signal to quantization noise of the weight, 10·log10(Σw²/Σ(w−ŵ)²), in dB; infinite without noise.</summary>
    public double SqnrDecibels => Noise == 0 ? double.PositiveInfinity : 10 * Math.Log10(Signal / Noise);

    /// <summary>The scale of one channel.</summary>
    public float Of(int channel) => Scales[Scales.Length == 1 ? 0 : channel];

    /// <summary>1/scale of each channel.</summary>
    public float[] Inverses()
    {
        var inverses = new float[Scales.Length];
        for (var i = 0; i < inverses.Length; i++)
        {
            inverses[i] = 1 / Scales[i];
        }

        return inverses;
    }

    /// <summary>The scales as a constant: a scalar, or [channels].</summary>
    public Tensor ScaleTensor() => Format.Granularity == Granularity.PerTensor ? Tensor.Scalar(Scales[0]) : Tensor.Of(Scales, Scales.Length);

    /// <summary>The zero points as a constant of the weight's integer type: a scalar, or [channels].</summary>
    public Tensor ZeroPointTensor()
    {
        var bytes = new byte[ZeroPoints.Length];
        for (var i = 0; i < bytes.Length; i++)
        {
            bytes[i] = (byte)(int)ZeroPoints[i];
        }

        ReadOnlySpan<long> sizes = Format.Granularity == Granularity.PerTensor ? [] : [bytes.Length];
        return Tensor.OfBytes(Format.Type.ElementType(), bytes, sizes);
    }
}
