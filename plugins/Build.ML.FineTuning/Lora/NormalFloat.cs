namespace Build.ML.FineTuning.Lora;

/// <summary>
/// The 4-bit NormalFloat data type (Dettmers et al. 2023, QLoRA, appendix E): 16 quantiles of the standard normal distribution scaled to [−1, 1], zero among them; a block of weights is
/// divided by its largest magnitude and each weight takes the nearest.
/// </summary>
internal static class NormalFloat
{
    /// <summary>Value of each code.</summary>
    public static ReadOnlySpan<float> Values =>
    [
        -1f, -0.6961928009986877f, -0.5250730514526367f, -0.39491748809814453f, -0.28444138169288635f, -0.18477343022823334f, -0.09105003625154495f, 0f,
        0.07958029955625534f, 0.16093020141124725f, 0.24611230194568634f, 0.33791524171829224f, 0.44070982933044434f, 0.5626170039176941f, 0.7229568362236023f, 1f,
    ];

    /// <summary>Codes of weights, two to a byte, the first in the upper half, and the largest magnitude of each block.</summary>
    /// <param name="weights">In the order of [outputs, inputs].</param>
    /// <param name="blockSize">Weights to a block.</param>
    public static (byte[] Codes, float[] Magnitudes) Quantize(float[] weights, int blockSize)
    {
        var codes = new byte[(weights.Length + 1) / 2];
        var magnitudes = new float[(weights.Length + blockSize - 1) / blockSize];
        Parallel.For(0, magnitudes.Length, block =>
        {
            var start = block * blockSize;
            var part = weights.AsSpan(start, Math.Min(blockSize, weights.Length - start));
            var magnitude = magnitudes[block] = Math.Abs(System.Numerics.Tensors.TensorPrimitives.MaxMagnitude<float>(part));
            var inverse = magnitude > 0 ? 1 / magnitude : 0;
            for (var i = 0; i < part.Length; i++)
            {
                var code = Nearest(part[i] * inverse);
                codes[(start + i) / 2] |= (byte)((start + i) % 2 == 0 ? code << 4 : code);
            }
        });
        return (codes, magnitudes);
    }

    /// <summary>The code nearest to a number of [−1, 1]; of two equally near the lower.</summary>
    public static int Nearest(float number)
    {
        var values = Values;
        var code = 0;
        while (code < 15 && number > (values[code] + values[code + 1]) / 2)
        {
            code++;
        }

        return code;
    }
}
