namespace Build.ML.Packing.Coding;

/// <summary>Reads what <see cref="RangeEncoder"/> wrote, given the same states.</summary>
internal sealed class RangeDecoder
{
    private readonly byte[] _bytes;
    private readonly int _end;
    private int _next;
    private uint _range = uint.MaxValue;
    private uint _code;

    /// <summary>A decoder of a part of an array; behind it come zeros.</summary>
    public RangeDecoder(byte[] bytes, int start, int length)
    {
        (_bytes, _next, _end) = (bytes, start, start + length);
        for (var i = 0; i < 4; i++)
        {
            _code = (_code << 8) | Next();
        }
    }

    /// <summary>Reads a bit and learns from it.</summary>
    public int Decode(ref uint state)
    {
        var bound = (uint)(((ulong)_range * AdaptiveBit.Probability(state)) >> 16);
        int bit;
        if (_code < bound)
        {
            _range = bound;
            bit = 1;
        }
        else
        {
            _code -= bound;
            _range -= bound;
            bit = 0;
        }

        state = AdaptiveBit.After(state, bit);
        while (_range < 1 << 24)
        {
            _range <<= 8;
            _code = (_code << 8) | Next();
        }

        return bit;
    }

    private byte Next() => _next < _end ? _bytes[_next++] : (byte)0;
}
