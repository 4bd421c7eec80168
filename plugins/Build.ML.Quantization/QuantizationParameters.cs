namespace Build.ML.Quantization;

/// <summary>
/// The affine map between a real number x and its integer q: q = clamp(round(x / Scale) + ZeroPoint), x ≈ (q − ZeroPoint)·Scale, rounding halves to even,
/// as ONNX's QuantizeLinear and DequantizeLinear define it.
/// </summary>
/// <param name="Scale">Step between two neighbouring integers; positive.</param>
/// <param name="ZeroPoint">The integer that stands for 0.</param>
internal readonly record struct QuantizationParameters(float Scale, int ZeroPoint)
{
    /// <summary>
    /// The map that spends the type's integers on [<paramref name="minimum"/>, <paramref name="maximum"/>], widened to hold 0, which must be exact:
    /// zero padding and ReLU rely on it (Jacob et al. 2018, "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only
    /// Inference", §3).
    /// </summary>
    /// <param name="minimum">Least real number to represent; finite.</param>
    /// <param name="maximum">Greatest; finite.</param>
    /// <param name="type">Integer type.</param>
    /// <param name="symmetric">Whether 0 maps to the middle: to 0 for signed integers, to 128 for unsigned ones.</param>
    /// <param name="bits">Bits of the type that are used, 2 to 8.</param>
    public static QuantizationParameters Of(float minimum, float maximum, QuantizedType type, bool symmetric, int bits)
    {
        int least = type.Minimum(bits), greatest = type.Maximum(bits);
        var low = Math.Min(minimum, 0d);
        var high = Math.Max(maximum, 0d);
        if (symmetric)
        {
            // The positive side has one integer less than the negative one; both use that many, so that −x is as exact as x.
            var zero = type == QuantizedType.S8 ? 0 : (greatest + 1) / 2;
            return new(PositiveScale(Math.Max(-low, high) / (greatest - zero)), zero);
        }

        var scale = PositiveScale((high - low) / (greatest - least));
        return new(scale, (int)Math.Clamp(Math.Round(least - low / scale), least, greatest));
    }

    // A tensor of zeros has no range: any positive scale is exact. Below the least normal number 1/scale overflows.
    private static float PositiveScale(double scale) => scale < 1.2e-38 ? 1f : (float)scale;
}
