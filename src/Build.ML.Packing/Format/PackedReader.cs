namespace Build.ML.Packing.Format;

/// <summary>Bytes being read.</summary>
/// <param name="bytes">All of a packed model.</param>
/// <param name="at">Where to begin.</param>
/// <param name="end">Behind the last.</param>
internal sealed class PackedReader(byte[] bytes, int at, int end)
{
    private int _at = at;

    /// <summary>All bytes.</summary>
    public byte[] Bytes => bytes;

    /// <summary>Reads a byte.</summary>
    public byte Byte() => _at < end ? bytes[_at++] : throw new InvalidDataException("It ends too early.");

    /// <summary>Reads a number of 0 or more.</summary>
    public int Varint()
    {
        long value = 0;
        for (var shift = 0; shift <= 28; shift += 7)
        {
            var next = Byte();
            value |= (long)(next & 127) << shift;
            if (next < 128)
            {
                return value <= int.MaxValue ? (int)value : throw new InvalidDataException("A number is too large.");
            }
        }

        throw new InvalidDataException("A number is too large.");
    }

    /// <summary>Skips bytes that have their number before them, and says where they are.</summary>
    public (int Start, int Length) Block()
    {
        var length = Varint();
        if (length > end - _at)
        {
            throw new InvalidDataException("It ends too early.");
        }

        _at += length;
        return (_at - length, length);
    }
}
