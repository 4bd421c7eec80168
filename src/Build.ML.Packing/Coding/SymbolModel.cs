namespace Build.ML.Packing.Coding;

/// <summary>
/// Codes symbols, such as indices of shared weights, by binary decisions in contexts (as DeepCABAC does: Wiedemann et al. 2019, arXiv 1907.11900). First whether a symbol is the most frequent
/// one, the zero of pruned weights, in the context of how many of the eight before it were, and of the eight in its column; then its bits from the highest down, each in the context of those above.
/// </summary>
internal sealed class SymbolModel
{
    /// <summary>Neighbours looked at in each direction.</summary>
    private const int Reach = 8;

    private readonly int _bits;
    private readonly byte _frequent;
    private readonly int _row;
    private readonly uint[] _others = AdaptiveBit.Create(4 * (Reach - 1) * (Reach + 1));
    private readonly uint[] _tree;

    /// <summary>A model that knows nothing yet.</summary>
    /// <param name="bits">Of a symbol, 1 to 8.</param>
    /// <param name="frequent">The most frequent symbol.</param>
    /// <param name="row">Distance of a symbol from the one above it; 0 where there are no rows.</param>
    public SymbolModel(int bits, byte frequent, int row)
    {
        (_bits, _frequent, _row) = (bits, frequent, row);
        _tree = AdaptiveBit.Create(1 << bits);
    }

    /// <summary>Writes symbols.</summary>
    public byte[] Encode(byte[] symbols, int start, int count)
    {
        var encoder = new RangeEncoder();
        var before = 0;
        for (var i = 0; i < count; i++)
        {
            var symbol = symbols[start + i];
            var isOther = symbol == _frequent ? 0 : 1;
            encoder.Encode(ref _others[Context(symbols, start, i, before)], isOther);
            before = (before << 1) | isOther;
            if (isOther != 0)
            {
                for (int node = 1, bit = _bits - 1; bit >= 0; bit--)
                {
                    var value = (symbol >> bit) & 1;
                    encoder.Encode(ref _tree[node], value);
                    node = (node << 1) | value;
                }
            }
        }

        return encoder.Finish();
    }

    /// <summary>Reads symbols.</summary>
    public void Decode(RangeDecoder decoder, byte[] symbols, int start, int count)
    {
        var before = 0;
        for (var i = 0; i < count; i++)
        {
            var isOther = decoder.Decode(ref _others[Context(symbols, start, i, before)]);
            before = (before << 1) | isOther;
            var symbol = _frequent;
            if (isOther != 0)
            {
                var node = 1;
                for (var bit = 0; bit < _bits; bit++)
                {
                    node = (node << 1) | decoder.Decode(ref _tree[node]);
                }

                symbol = (byte)(node - (1 << _bits)); // the path begins with a 1
            }

            symbols[start + i] = symbol;
        }
    }

    // The two nearest before it one by one, how many of the six before those, how many of those above.
    private int Context(byte[] symbols, int start, int i, int before)
    {
        var above = 0;
        if (_row > 0)
        {
            for (int k = 0, at = i - _row; k < Reach && at >= 0; k++, at -= _row)
            {
                above += symbols[start + at] == _frequent ? 0 : 1;
            }
        }

        var far = (before >> 2) & 0x3F;
        far -= (far >> 1) & 0x15; // how many bits are set, in pairs, then in all
        far = (far & 3) + ((far >> 2) & 3) + (far >> 4);
        return (((before & 3) * (Reach - 1)) + far) * (Reach + 1) + above;
    }
}
