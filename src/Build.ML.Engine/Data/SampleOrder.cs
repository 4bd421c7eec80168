using Build.ML.Recipes;

namespace Build.ML.Engine.Data;

/// <summary>
/// Random choices among samples that depend on a seed and the number of samples only: each sample draws a number, and samples are taken by
/// their numbers.
/// </summary>
internal static class SampleOrder
{
    /// <summary>Indices of the samples of a part, ascending.</summary>
    /// <param name="count">Number of all samples.</param>
    /// <param name="split">Which part.</param>
    public static int[] Of(int count, DataSplit split)
    {
        var order = Shuffled(count, split.Seed);
        var test = (int)Math.Round(split.Test * count, MidpointRounding.AwayFromZero);
        var validation = Math.Min(count - test, (int)Math.Round(split.Validation * count, MidpointRounding.AwayFromZero));
        var part = split.Part switch
        {
            DataPart.Test => order.AsSpan(0, test),
            DataPart.Validation => order.AsSpan(test, validation),
            _ => order.AsSpan(test + validation),
        };
        part.Sort();
        return part.ToArray();
    }

    /// <summary>All indices in a random order.</summary>
    public static int[] Shuffled(int count, long seed)
    {
        var draws = new ulong[count];
        var order = new int[count];
        for (var i = 0; i < count; i++)
        {
            (draws[i], order[i]) = (Draw(Draw((ulong)seed) + (ulong)i), i);
        }

        Array.Sort(draws, order); // the draws of one seed all differ: Draw is a bijection
        return order;
    }

    // SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014): its increment, then its output function.
    private static ulong Draw(ulong state)
    {
        var z = state + 0x9E3779B97F4A7C15;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }
}
