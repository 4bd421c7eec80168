using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Build.ML.Training.Random;

/// <summary>
/// Philox4x32-10, a bijection of 128-bit counters under a 64-bit key whose outputs pass as random numbers (Salmon, Moraes, Dror, Shaw:
/// Parallel random numbers: as easy as 1, 2, 3,
/// SC 2011). A round turns (c0, c1, c2, c3) into (high(M1·c2) ⊕ c1 ⊕ k0, low(M1·c2), high(M0·c0) ⊕ c3 ⊕ k1, low(M0·c0)); the key grows by a
/// constant between rounds.
/// </summary>
internal static class Philox
{
    private const int Rounds = 10;
    private const uint M0 = 0xD2511F53, M1 = 0xCD9E8D57; // multipliers of the paper
    private const uint W0 = 0x9E3779B9, W1 = 0xBB67AE85; // golden ratio, √3 − 1

    /// <summary>
    /// The four words of one counter; <paramref name="low"/> holds words 0 and 1 of the counter, <paramref name="high"/> words 2 and 3,
    /// lower word first.
    /// </summary>
    public static (ulong Low, ulong High) Block(ulong key, ulong low, ulong high)
    {
        var (c0, c1, c2, c3) = ((uint)low, (uint)(low >> 32), (uint)high, (uint)(high >> 32));
        var (k0, k1) = ((uint)key, (uint)(key >> 32));
        for (var round = 0; round < Rounds; round++, k0 += W0, k1 += W1)
        {
            var (p0, p1) = ((ulong)M0 * c0, (ulong)M1 * c2);
            (c0, c1, c2, c3) = ((uint)(p1 >> 32) ^ c1 ^ k0, (uint)p1, (uint)(p0 >> 32) ^ c3 ^ k1, (uint)p0);
        }

        return (c0 | ((ulong)c1 << 32), c2 | ((ulong)c3 << 32));
    }

    /// <summary>The words of consecutive counters: low counts up from <paramref name="low"/>, high stays.</summary>
    /// <param name="key">The key.</param>
    /// <param name="low">Lower half of the first counter.</param>
    /// <param name="high">Upper half of all counters.</param>
    /// <param name="words">A multiple of four words.</param>
    public static void Blocks(ulong key, ulong low, ulong high, Span<uint> words)
    {
        var pairs = MemoryMarshal.Cast<uint, ulong>(words);
        var i = 0;
        for (; i + 8 <= pairs.Length; i += 8, low += 4)
        {
            FourBlocks(key, low, high, ref pairs[i]);
        }

        for (; i < pairs.Length; i += 2, low++)
        {
            (pairs[i], pairs[i + 1]) = Block(key, low, high);
        }
    }

    // Four counters at once, a 64-bit lane for each: a lane holds one 32-bit word, so that a product's both halves stay in their lane.
    private static void FourBlocks(ulong key, ulong low, ulong high, ref ulong destination)
    {
        var mask = Vector256.Create((ulong)uint.MaxValue);
        var counter = Vector256.Create(low) + Vector256.Create(0UL, 1, 2, 3);
        var (c0, c1) = (counter & mask, counter >>> 32);
        var (c2, c3) = (Vector256.Create(high & uint.MaxValue), Vector256.Create(high >> 32));
        var (k0, k1) = ((uint)key, (uint)(key >> 32));
        var (m0, m1) = (Vector256.Create((ulong)M0), Vector256.Create((ulong)M1));
        for (var round = 0; round < Rounds; round++, k0 += W0, k1 += W1)
        {
            var (p0, p1) = (Multiply(m0, c0), Multiply(m1, c2));
            c0 = (p1 >>> 32) ^ c1 ^ Vector256.Create((ulong)k0);
            c2 = (p0 >>> 32) ^ c3 ^ Vector256.Create((ulong)k1);
            c1 = p1 & mask;
            c3 = p0 & mask;
        }

        var (lower, upper) = (c0 | (c1 << 32), c2 | (c3 << 32));
        for (var lane = 0; lane < 4; lane++)
        {
            Unsafe.Add(ref destination, 2 * lane) = lower[lane];
            Unsafe.Add(ref destination, (2 * lane) + 1) = upper[lane];
        }
    }

    // Of 32-bit numbers in 64-bit lanes; the 64-bit product is the same bits, only slower where no instruction for it exists.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<ulong> Multiply(Vector256<ulong> a, Vector256<ulong> b) =>
        Avx2.IsSupported ? Avx2.Multiply(a.AsUInt32(), b.AsUInt32()) : a * b;
}
