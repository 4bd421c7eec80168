using Build.ML.Calibration.Layers;
namespace Build.ML.Quantization.Blocks;

/// <summary>What codes make of weights.</summary>
/// <param name="Signal">Σ w².</param>
/// <param name="Noise">Σ (w − ŵ)².</param>
internal readonly record struct WeightError(double Signal, double Noise)
{
    private const int RowsPerChunk = 32;

    /// <summary>10·log10(Signal / Noise); 200 where nothing is lost.</summary>
    public double SqnrDecibels => Noise == 0 ? 200 : Math.Min(200, 10 * Math.Log10(Signal / Noise));

    /// <summary>Adds two parts.</summary>
    public static WeightError operator +(WeightError a, WeightError b) => new(a.Signal + b.Signal, a.Noise + b.Noise);

    /// <summary>Compares a layer's weights with codes; the sum does not depend on the number of threads.</summary>
    public static WeightError Of(WeightLayer layer, BlockQuantizedMatrix matrix, int threads)
    {
        using var reader = layer.Open();
        var parts = new WeightError[(layer.Rows + RowsPerChunk - 1) / RowsPerChunk];
        Parallel.For(0, parts.Length, new ParallelOptions { MaxDegreeOfParallelism = Math.Max(threads, 1) }, chunk =>
        {
            var first = chunk * RowsPerChunk;
            var rows = Math.Min(RowsPerChunk, layer.Rows - first);
            var weights = new float[rows * layer.Columns];
            var restored = new float[layer.Columns];
            reader.Read(first, rows, 0, layer.Columns, weights);
            var sum = default(WeightError);
            for (var row = 0; row < rows; row++)
            {
                matrix.Dequantize(first + row, restored);
                sum += Of(weights.AsSpan(row * layer.Columns, layer.Columns), restored);
            }

            parts[chunk] = sum;
        });
        return parts.Aggregate(default(WeightError), (a, b) => a + b);
    }

    /// <summary>Compares numbers with what became of them.</summary>
    public static WeightError Of(ReadOnlySpan<float> weights, ReadOnlySpan<float> restored)
    {
        double signal = 0, noise = 0;
        for (var start = 0; start < weights.Length; start += 2048)
        {
            // Sums in single precision stay short, so that their rounding stays far below the noise.
            var a = weights.Slice(start, Math.Min(2048, weights.Length - start));
            var b = restored.Slice(start, a.Length);
            signal += System.Numerics.Tensors.TensorPrimitives.SumOfSquares(a);
            var distance = (double)System.Numerics.Tensors.TensorPrimitives.Distance(a, b);
            noise += distance * distance;
        }

        return new(signal, noise);
    }
}
