using System.Numerics;
using System.Numerics.Tensors;
using System.Runtime.InteropServices;

namespace Build.ML.WeightSharing.Clustering;

/// <summary>What one pass over a weight tells.</summary>
/// <param name="Least">The least number.</param>
/// <param name="Greatest">The greatest number.</param>
/// <param name="Zeros">How many are 0.</param>
/// <param name="IsFinite">Whether none is NaN or infinite.</param>
internal readonly record struct NumberSummary(float Least, float Greatest, long Zeros, bool IsFinite)
{
    /// <summary>Takes the pass.</summary>
    /// <param name="numbers">One or more.</param>
    /// <param name="threads">Cores to use.</param>
    public static NumberSummary Of(ReadOnlySpan<float> numbers, int threads)
    {
        var parts = new NumberSummary[Chunks.Count(numbers.Length)];
        Chunks.ForEach(numbers, threads, (chunk, part) =>
        {
            var (least, greatest) = (TensorPrimitives.Min(part), TensorPrimitives.Max(part)); // NaN where there is one
            parts[chunk] = new(least, greatest, Zeroes(part), float.IsFinite(least) && float.IsFinite(greatest));
        });
        var all = parts[0];
        foreach (var part in parts.AsSpan(1))
        {
            all = new(Math.Min(all.Least, part.Least), Math.Max(all.Greatest, part.Greatest), all.Zeros + part.Zeros, all.IsFinite && part.IsFinite);
        }

        return all;
    }

    private static long Zeroes(ReadOnlySpan<float> numbers)
    {
        var counts = Vector<int>.Zero;
        foreach (var vector in MemoryMarshal.Cast<float, Vector<float>>(numbers))
        {
            counts -= Vector.Equals(vector, Vector<float>.Zero); // −1 where equal
        }

        long zeros = Vector.Sum(counts);
        for (var i = numbers.Length - numbers.Length % Vector<float>.Count; i < numbers.Length; i++)
        {
            zeros += numbers[i] == 0 ? 1 : 0;
        }

        return zeros;
    }
}
