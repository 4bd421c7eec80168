namespace Build.ML.Packing.Coding;

/// <summary>
/// The probability of a bit, learned from the bits that came before: the first ones move it much, later ones little, p += (bit − p)/(n + 1.5), as Krichevsky and Trofimov's estimate does.
/// A state is 22 bits of probability of a 1 and 10 bits of count.
/// </summary>
internal static class AdaptiveBit
{
    /// <summary>Nothing known: one half.</summary>
    public const uint Initial = 1u << 31;

    private const int CountBits = 10;
    private const int Limit = (1 << CountBits) - 1;
    private static readonly int[] Rates = MakeRates();

    /// <summary>The probability of a 1 in 1/65536, never 0 or 1.</summary>
    public static uint Probability(uint state)
    {
        var probability = state >> 16;
        return probability == 0 ? 1 : probability;
    }

    /// <summary>The state after a bit.</summary>
    public static uint After(uint state, int bit)
    {
        var count = (int)(state & Limit);
        long probability = state >> CountBits;
        var target = bit == 0 ? 0 : (1L << (32 - CountBits)) - 1;
        probability += ((target - probability) * Rates[count]) >> 16;
        return ((uint)probability << CountBits) | (uint)(count < Limit ? count + 1 : count);
    }

    /// <summary>As many states.</summary>
    public static uint[] Create(int count)
    {
        var states = new uint[count];
        for (var i = 0; i < count; i++)
        {
            states[i] = Initial;
        }

        return states;
    }

    private static int[] MakeRates()
    {
        var rates = new int[Limit + 1];
        for (var n = 0; n <= Limit; n++)
        {
            rates[n] = (int)(65536 / (n + 1.5));
        }

        return rates;
    }
}
