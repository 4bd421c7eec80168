namespace Build.ML.OnnxRuntime.Kernels.Convolution;

/// <summary>Weights [outputs, terms] in the order that <see cref="ShiftedSums"/> reads them: [outputs/8][terms][8], zeros behind the last output.</summary>
internal static unsafe class PackedWeights
{
    /// <summary>Floats they take.</summary>
    public static long Floats(int outputs, int terms) => (long)(outputs + ShiftedSums.Rows - 1) / ShiftedSums.Rows * ShiftedSums.Rows * terms;

    /// <summary>Packs.</summary>
    public static void Pack(float* weights, int outputs, int terms, float* packed)
    {
        for (var o = 0; o < outputs; o += ShiftedSums.Rows)
        {
            var rows = Math.Min(ShiftedSums.Rows, outputs - o);
            for (var j = 0; j < terms; j++, packed += ShiftedSums.Rows)
            {
                for (var r = 0; r < ShiftedSums.Rows; r++)
                {
                    packed[r] = r < rows ? weights[((long)(o + r) * terms) + j] : 0;
                }
            }
        }
    }
}
