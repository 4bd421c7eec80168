using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Build.ML.Graph;
using Build.ML.Graph.Tensors;

namespace Build.ML.Data.Files;

/// <summary>
/// An array in NumPy's format, versions 1 to 3: magic, version, length of the header, header (a Python dictionary with <c>descr</c>,
/// <c>fortran_order</c>, <c>shape</c>), elements. The first dimension counts the samples.
/// </summary>
internal sealed partial class NpyFile
{
    private readonly string _name;
    private readonly Action<long, Span<byte>> _read;
    private readonly long _start;
    private readonly bool _bigEndian;
    private readonly int _elementSize;

    /// <summary>Reads the header.</summary>
    /// <param name="name">File, for messages.</param>
    /// <param name="length">Bytes of the file.</param>
    /// <param name="read">Reads bytes from an offset, from any thread.</param>
    /// <exception cref="Graph.Diagnostics.DiagnosticException">BML5202.</exception>
    public NpyFile(string name, long length, Action<long, Span<byte>> read)
    {
        (_name, _read) = (name, read);
        var head = new byte[Math.Min(12, length)];
        read(0, head);
        if (head.Length < 12 || head[0] != 0x93 || !head.AsSpan(1, 5).SequenceEqual("NUMPY"u8))
        {
            throw DataErrors.Malformed(name, 0, $"bytes {Convert.ToHexString(head)}", "the magic \\x93NUMPY");
        }

        var (headerStart, headerLength) = head[6] switch
        {
            1 => (10, (uint)(head[8] | (head[9] << 8))),
            2 or 3 => (12, BitConverter.ToUInt32(head, 8)),
            var version => throw DataErrors.Malformed(name, 6, $"format version {version}", "1, 2 or 3"),
        };
        if (headerStart + headerLength > length || headerLength > 1 << 20)
        {
            throw DataErrors.Malformed(name, 8, $"a header of {headerLength} bytes", $"at most {Math.Min(length - headerStart, 1 << 20)}");
        }

        var bytes = new byte[headerLength];
        read(headerStart, bytes);
        _start = headerStart + headerLength;
        var header = Encoding.UTF8.GetString(bytes);
        (Type, _elementSize, _bigEndian) = TypeOf(Value(header, DescrPattern(), headerStart, "'descr'"), headerStart);
        Sizes = SizesOf(Value(header, ShapePattern(), headerStart, "'shape'"), headerStart);
        if (Value(header, OrderPattern(), headerStart, "'fortran_order'") == "True" && Sizes.Length > 1)
        {
            throw DataErrors.Malformed(name, headerStart, "column-major order (fortran_order True)", "row-major order; save numpy.ascontiguousarray of it");
        }

        var expected = Sizes.Aggregate((UInt128)(ulong)_elementSize, (product, size) => product * (ulong)size) + (ulong)_start;
        if (expected != (ulong)length)
        {
            throw DataErrors.Malformed(name, length, $"a file of {length} bytes", $"{expected} by its header");
        }
    }

    /// <summary>Element type; <see cref="DataType.String"/> for NumPy's fixed-length Unicode strings.</summary>
    public DataType Type { get; }

    /// <summary>Sizes, outermost first.</summary>
    public long[] Sizes { get; }

    /// <summary>For example <c>float[100,3,32,32]</c>.</summary>
    public string Description => $"{Type.OnnxName()}[{string.Join(',', Sizes)}]";

    /// <summary>One sample, without the first dimension.</summary>
    public Tensor Sample(int index)
    {
        var sizes = Sizes.AsSpan(1);
        long count = 1;
        foreach (var size in sizes)
        {
            count *= size;
        }

        var bytes = new byte[count * _elementSize];
        _read(_start + (index * (long)bytes.Length), bytes);
        if (_bigEndian)
        {
            for (var i = 0; i < bytes.Length; i += _elementSize)
            {
                bytes.AsSpan(i, _elementSize).Reverse();
            }
        }

        return Type == DataType.String ? new Tensor(sizes, [.. Strings(bytes)]) : Tensor.OfBytes(Type, bytes, sizes);
    }

    // NumPy pads each string with zero code points to the length of the longest.
    private IEnumerable<string> Strings(byte[] utf32)
    {
        for (var i = 0; i < utf32.Length; i += _elementSize)
        {
            yield return Encoding.UTF32.GetString(utf32, i, _elementSize).TrimEnd('\0');
        }
    }

    private string Value(string header, Regex pattern, int offset, string key)
    {
        var match = pattern.Match(header);
        return match.Success ? match.Groups[1].Value : throw DataErrors.Malformed(_name, offset, $"'{header.Trim()}'", $"a dictionary with {key}");
    }

    private (DataType Type, int Size, bool BigEndian) TypeOf(string descr, int offset)
    {
        var type = descr[1..] switch
        {
            "f2" => DataType.Float16,
            "f4" => DataType.Float,
            "f8" => DataType.Double,
            "i1" => DataType.Int8,
            "i2" => DataType.Int16,
            "i4" => DataType.Int32,
            "i8" => DataType.Int64,
            "u1" => DataType.UInt8,
            "u2" => DataType.UInt16,
            "u4" => DataType.UInt32,
            "u8" => DataType.UInt64,
            "b1" => DataType.Bool,
            _ => DataType.Undefined,
        };
        if (descr is ['<' or '|', 'U', ..] && int.TryParse(descr.AsSpan(2), NumberStyles.None, CultureInfo.InvariantCulture, out var length)
            && length is > 0 and < 1 << 20)
        {
            return (DataType.String, 4 * length, false);
        }

        return type != DataType.Undefined
            ? (type, type.BitWidth() / 8, descr[0] == '>')
            : throw DataErrors.Malformed(_name, offset, $"element type '{descr}'", "f2, f4, f8, i1 to i8, u1 to u8, b1 or, for labels, U");
    }

    private long[] SizesOf(string shape, int offset)
    {
        var sizes = shape.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)
            .Select(s => int.TryParse(s, NumberStyles.None, CultureInfo.InvariantCulture, out var size) ? size : -1L).ToArray();
        return sizes.Length is > 0 and <= 32 && sizes.All(s => s >= 0)
            ? sizes
            : throw DataErrors.Malformed(_name, offset, $"shape ({shape})", "1 to 32 sizes, the first of them the number of samples");
    }

    [GeneratedRegex(@"'descr'\s*:\s*'([<>|=][A-Za-z]\d+)'", RegexOptions.CultureInvariant)]
    private static partial Regex DescrPattern();

    [GeneratedRegex(@"'fortran_order'\s*:\s*(True|False)", RegexOptions.CultureInvariant)]
    private static partial Regex OrderPattern();

    [GeneratedRegex(@"'shape'\s*:\s*\(([^)]*)\)", RegexOptions.CultureInvariant)]
    private static partial Regex ShapePattern();
}
