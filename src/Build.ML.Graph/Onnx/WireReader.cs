using System.Buffers.Binary;
using System.Text;
using Build.ML.Graph.Diagnostics;

namespace Build.ML.Graph.Onnx;

/// <summary>How a field's value is encoded (protobuf encoding, "Message structure").</summary>
internal enum WireType
{
    Varint = 0,
    Fixed64 = 1,
    Bytes = 2,
    Fixed32 = 5,
}

/// <summary>
/// Reads the protobuf wire format from a source through a small window, so that skipping a payload touches none of its bytes. Every length
/// is checked against the message around it before anything is allocated; nesting is limited.
/// </summary>
internal sealed class WireReader
{
    /// <summary>Deepest nesting of messages, the limit protobuf's own readers have.</summary>
    public const int MaxDepth = 100;

    private const int WindowSize = 1 << 15;
    private static readonly UTF8Encoding StrictUtf8 = new(false, true);

    private readonly ByteSource _source;
    private readonly string _file;
    private readonly byte[]? _buffer;
    private readonly List<(string Kind, object? Subject, int Index)> _place = [];
    private ReadOnlyMemory<byte> _window;
    private long _windowStart;
    private int _cursor;
    private long _limit;
    private int _depth;

    /// <summary>Reads a part of a source.</summary>
    /// <param name="source">The bytes.</param>
    /// <param name="file">How messages name the source.</param>
    /// <param name="offset">First byte.</param>
    /// <param name="length">Number of bytes.</param>
    public WireReader(ByteSource source, string file, long offset, long length)
    {
        _source = source;
        _file = file;
        _limit = offset + length;
        if (source is MemorySource)
        {
            _window = source.Memory;
            _cursor = (int)offset;
        }
        else
        {
            _buffer = GC.AllocateUninitializedArray<byte>((int)Math.Min(WindowSize, Math.Max(length, 1)));
            _windowStart = offset;
        }
    }

    /// <summary>Offset of the next byte in the source.</summary>
    public long Position => _windowStart + _cursor;

    /// <summary>Bytes left in the message at hand.</summary>
    public long Remaining => _limit - Position;

    /// <summary>Offset of the tag read last.</summary>
    public long FieldStart { get; private set; }

    /// <summary>Number of the field read last.</summary>
    public int Field { get; private set; }

    /// <summary>Encoding of the field read last.</summary>
    public WireType Wire { get; private set; }

    /// <summary>Where in the model the reader is, for messages.</summary>
    public string Place
    {
        get
        {
            var text = new StringBuilder();
            foreach (var (kind, subject, index) in _place)
            {
                text.Append(text.Length > 0 ? ", " : "").Append(kind);
                if (index >= 0)
                {
                    text.Append(" #").Append(index);
                }

                var name = subject switch
                {
                    Ir.Node node => node.OpType.Length > 0 ? node.DisplayName : node.Name,
                    Ir.OnnxGraph graph => graph.Name,
                    Ir.Function function => function.Name,
                    _ => subject?.ToString() ?? "",
                };
                if (name.Length > 0)
                {
                    text.Append(" '").Append(name).Append('\'');
                }
            }

            return text.Length > 0 ? text.ToString() : "the model";
        }
    }

    /// <summary>Reads the next tag of the message at hand; false at its end.</summary>
    public bool Next()
    {
        FieldStart = Position;
        if (FieldStart == _limit)
        {
            return false;
        }

        var tag = ReadVarint();
        var wire = (int)(tag & 7);
        if (tag >> 3 is 0 or > (1 << 29) - 1 || wire is 3 or 4 or 6 or 7)
        {
            throw Malformed($"found tag {tag} (field {tag >> 3}, wire type {wire}) where a field should begin");
        }

        Field = (int)(tag >> 3);
        Wire = (WireType)wire;
        return true;
    }

    /// <summary>Enters the submessage that the field at hand holds; pass the result to <see cref="Leave"/>.</summary>
    /// <param name="kind">What it is, for messages.</param>
    /// <param name="subject">Its name, or an object with one.</param>
    /// <param name="index">Which of several, from 0; -1 for the only one.</param>
    public long Enter(string kind, object? subject = null, int index = -1)
    {
        var length = ReadLength();
        if (++_depth > MaxDepth)
        {
            throw new DiagnosticException(
                "BML2003", $"Messages nest deeper than {MaxDepth} levels at byte {FieldStart}, in {Place}; no tool reads such a model. Flatten its subgraphs or types.", new(_file));
        }

        _place.Add((kind, subject, index));
        var outer = _limit;
        _limit = Position + length;
        return outer;
    }

    /// <summary>Names the message at hand, once its name is known.</summary>
    public void Name(object subject) => _place[^1] = _place[^1] with { Subject = subject };

    /// <summary>Leaves the submessage entered last.</summary>
    public void Leave(long outer)
    {
        _limit = outer;
        _depth--;
        _place.RemoveAt(_place.Count - 1);
    }

    /// <summary>A varint of up to 64 bits.</summary>
    public ulong ReadVarint()
    {
        ulong value = 0;
        for (var shift = 0; shift < 70; shift += 7)
        {
            var next = ReadByte();
            value |= (ulong)(next & 0x7F) << shift;
            if (next < 0x80)
            {
                return value;
            }
        }

        throw Malformed("a varint takes more than 10 bytes");
    }

    /// <summary>The varint of the field at hand.</summary>
    public long ReadInt64()
    {
        Expect(WireType.Varint);
        return (long)ReadVarint();
    }

    /// <summary>Four bytes, little-endian.</summary>
    public uint ReadFixed32()
    {
        Span<byte> bytes = stackalloc byte[4];
        Fill(bytes);
        return BinaryPrimitives.ReadUInt32LittleEndian(bytes);
    }

    /// <summary>Eight bytes, little-endian.</summary>
    public ulong ReadFixed64()
    {
        Span<byte> bytes = stackalloc byte[8];
        Fill(bytes);
        return BinaryPrimitives.ReadUInt64LittleEndian(bytes);
    }

    /// <summary>The length of the field at hand, known to lie within the message.</summary>
    public long ReadLength()
    {
        Expect(WireType.Bytes);
        var length = ReadVarint();
        return length <= (ulong)Remaining
            ? (long)length
            : throw Malformed($"field {Field} claims {length} bytes, {Remaining} are left; the file is truncated or damaged");
    }

    /// <summary>The bytes of the field at hand.</summary>
    public byte[] ReadBytes()
    {
        var length = ReadLength();
        return length <= Array.MaxLength
            ? ReadBytes(length)
            : throw Malformed($"field {Field} holds {length} bytes, more than a text or byte field can have");
    }

    /// <summary>The next bytes, as many as are known to be there.</summary>
    public byte[] ReadBytes(long length)
    {
        var bytes = GC.AllocateUninitializedArray<byte>((int)length);
        Fill(bytes);
        return bytes;
    }

    /// <summary>The text of the field at hand.</summary>
    public string ReadString()
    {
        var start = FieldStart;
        try
        {
            return StrictUtf8.GetString(ReadBytes());
        }
        catch (ArgumentException)
        {
            throw new DiagnosticException("BML2005", $"Text at byte {start}, in {Place}, is not UTF-8; write the model again with a tool that does.", new(_file));
        }
    }

    /// <summary>Goes on without reading.</summary>
    public void Skip(long length)
    {
        if (length > Remaining)
        {
            throw Malformed($"{length} bytes expected, {Remaining} left; the file is truncated or damaged");
        }

        var inWindow = Math.Min(length, _window.Length - _cursor);
        _cursor += (int)inWindow;
        if (length > inWindow)
        {
            _windowStart += _cursor + (length - inWindow);
            _window = default;
            _cursor = 0;
        }
    }

    /// <summary>Skips the value of the field at hand.</summary>
    public void SkipValue()
    {
        switch (Wire)
        {
            case WireType.Varint:
                ReadVarint();
                break;
            case WireType.Fixed64:
                Skip(8);
                break;
            case WireType.Fixed32:
                Skip(4);
                break;
            default:
                Skip(ReadLength());
                break;
        }
    }

    /// <summary>Skips the field at hand and keeps its bytes.</summary>
    public void KeepUnknown(MessageOrigin origin)
    {
        SkipValue();
        origin.KeepUnknown(_source.ToArray(FieldStart, Position - FieldStart));
    }

    /// <summary>Bytes already read, from <paramref name="offset"/> to here.</summary>
    public byte[] Since(long offset) => _source.ToArray(offset, Position - offset);

    /// <summary>Counts the varints in the next <paramref name="length"/> bytes and goes behind them.</summary>
    public long SkipVarints(long length)
    {
        long count = 0;
        var end = Position + length;
        while (Position < end)
        {
            ReadVarint();
            count++;
        }

        return Position == end ? count : throw Malformed("the last number of a packed list reaches beyond the list");
    }

    /// <summary>Fails unless the field at hand is encoded this way.</summary>
    public void Expect(WireType wire)
    {
        if (Wire != wire)
        {
            throw Malformed($"field {Field} has wire type {(int)Wire}, expected {(int)wire}");
        }
    }

    /// <summary>An error at the field at hand.</summary>
    public DiagnosticException Malformed(string what) => new(
        "BML2002", $"Not a valid ONNX file: at byte {FieldStart}, in {Place}, {what}.", new(_file));

    private byte ReadByte()
    {
        if (Position >= _limit)
        {
            throw Malformed("a number reaches beyond its message; the file is truncated or damaged");
        }

        if (_cursor == _window.Length)
        {
            Refill();
        }

        return _window.Span[_cursor++];
    }

    private void Fill(Span<byte> destination)
    {
        if (destination.Length > Remaining)
        {
            throw Malformed($"{destination.Length} bytes expected, {Remaining} left; the file is truncated or damaged");
        }

        var inWindow = Math.Min(destination.Length, _window.Length - _cursor);
        _window.Span.Slice(_cursor, inWindow).CopyTo(destination);
        _cursor += inWindow;
        if (inWindow < destination.Length)
        {
            var rest = destination[inWindow..];
            _source.Read(Position, rest);
            _windowStart = Position + rest.Length;
            _window = default;
            _cursor = 0;
        }
    }

    private void Refill()
    {
        _windowStart = Position;
        _cursor = 0;
        var length = (int)Math.Min(_buffer!.Length, _source.Length - _windowStart);
        _source.Read(_windowStart, _buffer.AsSpan(0, length));
        _window = _buffer.AsMemory(0, length);
    }
}
