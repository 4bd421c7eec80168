namespace Build.ML.Packing.Format;

/// <summary>Bytes being written.</summary>
internal sealed class PackedWriter
{
    private byte[] _bytes = new byte[256];
    private int _count;

    /// <summary>Writes a byte.</summary>
    public void Byte(byte value)
    {
        Reserve(1);
        _bytes[_count++] = value;
    }

    /// <summary>Writes a number of 0 or more, seven bits a byte.</summary>
    public void Varint(int value)
    {
        for (; value >= 128; value >>= 7)
        {
            Byte((byte)(value | 128));
        }

        Byte((byte)value);
    }

    /// <summary>Writes bytes.</summary>
    public void Write(byte[] bytes, int start, int count)
    {
        Reserve(count);
        Buffer.BlockCopy(bytes, start, _bytes, _count, count);
        _count += count;
    }

    /// <summary>Writes bytes with their number before them.</summary>
    public void Block(byte[] bytes)
    {
        Varint(bytes.Length);
        Write(bytes, 0, bytes.Length);
    }

    /// <summary>What was written.</summary>
    public byte[] ToArray()
    {
        var bytes = new byte[_count];
        Buffer.BlockCopy(_bytes, 0, bytes, 0, _count);
        return bytes;
    }

    private void Reserve(int count)
    {
        if (_bytes.Length - _count < count)
        {
            Array.Resize(ref _bytes, (int)Math.Min(0x7FFF_FFC7, Math.Max(2L * _bytes.Length, (long)_count + count)));
        }
    }
}
