namespace Build.ML.Packing.Coding;

/// <summary>Range coding of bits with adaptive probabilities (Martin 1979; carries as in the LZMA format): a bit of probability p takes log₂(1/p) bits.</summary>
internal sealed class RangeEncoder
{
    private readonly List<byte> _bytes = [];
    private ulong _low;
    private uint _range = uint.MaxValue;
    private byte _held;
    private long _heldCount;
    private bool _hasHeld;

    /// <summary>Writes a bit and learns from it.</summary>
    public void Encode(ref uint state, int bit)
    {
        var bound = (uint)(((ulong)_range * AdaptiveBit.Probability(state)) >> 16);
        if (bit != 0)
        {
            _range = bound;
        }
        else
        {
            _low += bound;
            _range -= bound;
        }

        state = AdaptiveBit.After(state, bit);
        while (_range < 1 << 24)
        {
            _range <<= 8;
            Shift();
        }
    }

    /// <summary>The bytes; nothing may be written afterwards. Zeros at the end, which the decoder supplies by itself, are left out.</summary>
    public byte[] Finish()
    {
        // Of the numbers that are left, the one with the most zeros at its end.
        var top = _low + _range - 1;
        for (var zeros = 32; zeros > 0; zeros--)
        {
            var mask = (1UL << zeros) - 1;
            if ((top & ~mask) >= _low)
            {
                _low = top & ~mask;
                break;
            }
        }

        for (var i = 0; i < 5; i++)
        {
            Shift();
        }

        while (_bytes.Count > 0 && _bytes[_bytes.Count - 1] == 0)
        {
            _bytes.RemoveAt(_bytes.Count - 1);
        }

        return [.. _bytes];
    }

    // Moves the upper byte out; it is held back, with the 255s behind it, until no carry can reach it.
    private void Shift()
    {
        if (_low < 0xFF00_0000 || _low > uint.MaxValue)
        {
            var carry = (byte)(_low >> 32);
            if (_hasHeld)
            {
                _bytes.Add((byte)(_held + carry));
            }

            for (; _heldCount > 0; _heldCount--)
            {
                _bytes.Add((byte)(0xFF + carry));
            }

            (_held, _hasHeld) = ((byte)(_low >> 24), true);
        }
        else
        {
            _heldCount++;
        }

        _low = (_low & 0x00FF_FFFF) << 8;
    }
}
