using System.Runtime.InteropServices;

namespace Build.ML.Training.Random;

/// <summary>
/// Random numbers that are a function of (seed, stream, position) and of nothing else:
/// <see href="https://doi.org/10.1145/2063384.2063405">Philox4x32-10</see>. Any position is
/// reached at once, so threads may fill parts of an array and a resumed run goes on where it stopped, with the same bits on every machine:
/// only integer arithmetic and IEEE additions,
/// multiplications, divisions and square roots are used. Every number takes one 32-bit word. A mutable struct: pass it by reference to draw
/// from it.
/// </summary>
public struct CounterRandom : IEquatable<CounterRandom>
{
    private readonly ulong _key;
    private readonly ulong _stream;
    private ulong _position;
    private ulong _block; // 1 + the block whose words are held; 0: none
    private ulong _low;
    private ulong _high;

    /// <summary>A generator at position 0.</summary>
    /// <param name="seed">The recipe's seed: the key of the generator.</param>
    /// <param name="stream">What the numbers are for, see <see cref="RandomStream"/>; 0 or more.</param>
    public CounterRandom(long seed, long stream = 0)
        : this((ulong)seed, (ulong)stream) => ArgumentOutOfRangeException.ThrowIfNegative(stream);

    private CounterRandom(ulong key, ulong stream) => (_key, _stream) = (key, stream);

    /// <summary>Index of the next word, 0 or more; set it to seek.</summary>
    public long Position
    {
        readonly get => (long)_position;
        set
        {
            ArgumentOutOfRangeException.ThrowIfNegative(value);
            _position = (ulong)value;
        }
    }

    /// <summary>
    /// An independent generator at position 0 for a part of the work, such as an epoch, and in it a sample:
    /// <c>random.Fork(epoch).Fork(index)</c>. Depends on seed, stream and label,
    /// not on the position.
    /// </summary>
    /// <param name="label">Any number.</param>
    public readonly CounterRandom Fork(long label)
    {
        // Streams are not negative: counters with the top bit set are never drawn from, so they are free to make keys.
        var (key, stream) = Philox.Block(_key, (ulong)label, _stream | (1UL << 63));
        return new(key, stream & long.MaxValue);
    }

    /// <summary>A word of 32 random bits.</summary>
    public uint NextUInt()
    {
        var block = _position >> 2;
        if (_block != block + 1)
        {
            (_low, _high) = Philox.Block(_key, block, _stream);
            _block = block + 1;
        }

        var word = (int)(_position++ & 3);
        return (uint)((word < 2 ? _low : _high) >> (32 * (word & 1)));
    }

    /// <summary>A number of [0, 1): a multiple of 2⁻²⁴, each equally likely.</summary>
    public float Uniform() => (NextUInt() >> 8) * (1f / (1 << 24));

    /// <summary>A number of [<paramref name="from"/>, <paramref name="to"/>].</summary>
    public float Uniform(float from, float to) => from + ((to - from) * Uniform());

    /// <summary>
    /// An integer of 0 to <paramref name="bound"/> − 1: the upper half of word · bound (Lemire: Fast random integer generation in an
    /// interval, 2019) without the rejection that would make
    /// positions depend on values; the bias is at most bound/2³².
    /// </summary>
    /// <param name="bound">1 or more.</param>
    public int Below(int bound)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(bound, 1);
        return (int)(((ulong)NextUInt() * (uint)bound) >> 32);
    }

    /// <summary>True with a probability.</summary>
    /// <param name="probability">0 never, 1 always.</param>
    public bool Chance(double probability) => NextUInt() < probability * 4294967296d;

    /// <summary>A number of the standard normal distribution, see <see cref="FillNormal"/>.</summary>
    public float Normal()
    {
        var value = 0f;
        FillNormal(new Span<float>(ref value));
        return value;
    }

    /// <summary>
    /// Fills with numbers of [<paramref name="from"/>, <paramref name="to"/>], one word each, the same as as many calls of
    /// <see cref="Uniform(float, float)"/>.
    /// </summary>
    public void FillUniform(Span<float> values, float from = 0, float to = 1)
    {
        FillWords(MemoryMarshal.Cast<float, uint>(values));
        Distributions.Uniform(values, from, to);
    }

    /// <summary>
    /// Fills with numbers of a normal distribution, one word each: the inverse distribution function of a uniform number, by Giles:
    /// Approximating the erfinv function (2010). Within
    /// 5.42 deviations, accurate to 2e-6 of a deviation where |z| is below 3.
    /// </summary>
    /// <param name="values">To fill.</param>
    /// <param name="mean">Default 0.</param>
    /// <param name="deviation">Default 1.</param>
    public void FillNormal(Span<float> values, float mean = 0, float deviation = 1)
    {
        FillWords(MemoryMarshal.Cast<float, uint>(values));
        Distributions.Normal(values, mean, deviation);
    }

    /// <summary>
    /// Fills with a dropout mask, one word an element: 1/keep with probability <paramref name="keep"/>, else 0, so that the mean is 1.
    /// </summary>
    /// <param name="values">To fill.</param>
    /// <param name="keep">Above 0, at most 1.</param>
    public void FillMask(Span<float> values, double keep)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(keep);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(keep, 1);
        FillWords(MemoryMarshal.Cast<float, uint>(values));
        Distributions.Mask(values, keep);
    }

    /// <summary>Fills with words of 32 random bits, the same as as many calls of <see cref="NextUInt"/>.</summary>
    public void FillWords(Span<uint> words)
    {
        while ((_position & 3) != 0 && words.Length > 0)
        {
            words[0] = NextUInt();
            words = words[1..];
        }

        var whole = words.Length & ~3;
        Philox.Blocks(_key, _position >> 2, _stream, words[..whole]);
        _position += (ulong)whole;
        foreach (ref var word in words[whole..])
        {
            word = NextUInt();
        }
    }

    /// <summary>Whether both will draw the same numbers.</summary>
    public readonly bool Equals(CounterRandom other) => _key == other._key && _stream == other._stream && _position == other._position;

    /// <inheritdoc/>
    public override readonly bool Equals(object? obj) => obj is CounterRandom other && Equals(other);

    /// <inheritdoc/>
    public override readonly int GetHashCode() => HashCode.Combine(_key, _stream, _position);

    /// <summary>See <see cref="Equals(CounterRandom)"/>.</summary>
    public static bool operator ==(CounterRandom left, CounterRandom right) => left.Equals(right);

    /// <summary>See <see cref="Equals(CounterRandom)"/>.</summary>
    public static bool operator !=(CounterRandom left, CounterRandom right) => !left.Equals(right);
}
