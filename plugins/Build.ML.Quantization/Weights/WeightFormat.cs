namespace Build.ML.Quantization.Weights;

/// <summary>How weights are stored.</summary>
/// <param name="Type">Integer type; signed weights are symmetric around 0, unsigned ones use their whole range.</param>
/// <param name="Granularity">How many weights share a scale.</param>
/// <param name="ReduceRange">Whether only 7 bits are used, so that pairs of u8·s8 products cannot exceed 16 bits (AVX2 without VNNI saturates there).</param>
internal readonly record struct WeightFormat(QuantizedType Type, Granularity Granularity, bool ReduceRange)
{
    /// <summary>Parameters for one channel with these extremes.</summary>
    public QuantizationParameters Parameters(float minimum, float maximum) =>
        QuantizationParameters.Of(minimum, maximum, Type, symmetric: Type == QuantizedType.S8, ReduceRange);
}
