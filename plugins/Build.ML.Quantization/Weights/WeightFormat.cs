namespace Build.ML.Quantization.Weights;

/// <summary>How weights are stored.</summary>
/// <param name="Type">Integer type; signed weights are symmetric around 0, unsigned ones use their whole range.</param>
/// <param name="Granularity">How many weights share a scale.</param>
/// <param name="ReduceRange">Whether only 7 bits are used, so that pairs of u8·s8 products cannot exceed 16 bits (AVX2 without VNNI saturates there).</param>
internal readonly record struct WeightFormat(QuantizedType Type, Granularity Granularity, bool ReduceRange)
{
    /// <summary>Bits a weight takes: 8, or 2 to 4 (signed, stored in 4 bits, two's complement, with scales of least squared error).</summary>
    public int Bits { get; init; } = 8;

    /// <summary>Least integer used. Of 8-bit signed ones, −128 is not: −x is as exact as x.</summary>
    public int Least => Bits < 8 ? -(1 << (Bits - 1)) : Type == QuantizedType.S8 ? -Greatest : 0;

    /// <summary>Greatest integer used.</summary>
    public int Greatest => Bits < 8 ? (1 << (Bits - 1)) - 1 : Type.Maximum(ReduceRange ? 7 : 8);

    /// <summary>Parameters for one channel with these extremes.</summary>
    public QuantizationParameters Parameters(float minimum, float maximum) =>
        QuantizationParameters.Of(minimum, maximum, Type, symmetric: Type == QuantizedType.S8, ReduceRange ? 7 : 8);
}
