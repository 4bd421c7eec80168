using System.Buffers.Binary;
using Build.ML.Graph;

namespace Build.ML.Data.Files;

/// <summary>
/// An array in the IDX format of the MNIST database: two zero bytes, type, rank, big-endian sizes, big-endian elements, row-major.
/// </summary>
internal sealed class IdxFile
{
    private readonly FileBytes _bytes;
    private readonly int _start;

    /// <summary>Reads the header.</summary>
    /// <exception cref="Graph.Diagnostics.DiagnosticException">BML5201, BML5202.</exception>
    public IdxFile(string path)
    {
        _bytes = new FileBytes(path);
        var head = _bytes.Read(0, 4);
        if (head[0] != 0 || head[1] != 0 || head[3] == 0)
        {
            throw DataErrors.Malformed(path, 0, $"bytes {Convert.ToHexString(head)}", "two zeros, a type and a rank of at least 1");
        }

        Type = head[2] switch
        {
            0x08 => DataType.UInt8,
            0x09 => DataType.Int8,
            0x0B => DataType.Int16,
            0x0C => DataType.Int32,
            0x0D => DataType.Float,
            0x0E => DataType.Double,
            var type => throw DataErrors.Malformed(path, 2, $"type 0x{type:x2}", "0x08, 0x09, 0x0b, 0x0c, 0x0d or 0x0e"),
        };
        Sizes = new int[head[3]];
        _start = 4 + (4 * Sizes.Length);
        var header = _bytes.Read(4, 4 * Sizes.Length);
        UInt128 expected = (uint)ElementSize;
        for (var i = 0; i < Sizes.Length; i++)
        {
            var size = BinaryPrimitives.ReadUInt32BigEndian(header.AsSpan(4 * i));
            expected *= size;
            if (size > int.MaxValue || expected > (ulong)_bytes.Length)
            {
                throw DataErrors.Malformed(path, 4 + (4 * i), $"size {size}", $"sizes whose product fits a file of {_bytes.Length} bytes");
            }

            Sizes[i] = (int)size;
        }

        if ((UInt128)(ulong)_bytes.Length != expected + (uint)_start)
        {
            throw DataErrors.Malformed(path, _bytes.Length, $"a file of {_bytes.Length} bytes", $"{expected + (uint)_start} by its header");
        }
    }

    /// <summary>Path, for messages.</summary>
    public string Path => _bytes.Path;

    /// <summary>Element type.</summary>
    public DataType Type { get; }

    /// <summary>Sizes, outermost first; the first counts the samples.</summary>
    public int[] Sizes { get; }

    /// <summary>Elements of one sample.</summary>
    public int SampleLength => Sizes.Skip(1).Aggregate(1, (product, size) => product * size);

    private int ElementSize => Type.BitWidth() / 8;

    /// <summary>The elements of one sample as numbers.</summary>
    public double[] Numbers(int index)
    {
        var data = Bytes(index);
        var values = new double[SampleLength];
        for (var i = 0; i < values.Length; i++)
        {
            var element = data.AsSpan(i * ElementSize);
            values[i] = Type switch
            {
                DataType.UInt8 => element[0],
                DataType.Int8 => (sbyte)element[0],
                DataType.Int16 => BinaryPrimitives.ReadInt16BigEndian(element),
                DataType.Int32 => BinaryPrimitives.ReadInt32BigEndian(element),
                DataType.Float => BinaryPrimitives.ReadSingleBigEndian(element),
                _ => BinaryPrimitives.ReadDoubleBigEndian(element),
            };
        }

        return values;
    }

    /// <summary>The bytes of one sample.</summary>
    public byte[] Bytes(int index)
    {
        var length = SampleLength * ElementSize;
        return _bytes.Read(_start + ((long)index * length), length);
    }
}
