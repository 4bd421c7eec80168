using System.Buffers.Binary;
using System.Numerics;
using System.Text;
using Build.ML.Graph.Tensors;

namespace Build.ML.Graph.Onnx;

/// <summary>
/// Writes the protobuf wire format. A submessage begins with its length, so everything is walked twice by the same code: first without a
/// destination, which notes the lengths, then with one. Contents are only asked for their length the first time, and stream the second.
/// </summary>
internal sealed class WireWriter
{
    private const int SmallContent = 4096; // through the buffer: a call to the system costs more than a copy
    private readonly List<long> _lengths = [];
    private readonly Stack<(int Slot, int Field, long Start)> _open = new();
    private readonly byte[] _buffer;
    private readonly CancellationToken _cancellation;
    private Stream? _destination;
    private int _buffered;
    private int _nextLength;

    /// <summary>A writer that measures.</summary>
    public WireWriter(int buffer = 1 << 16, CancellationToken cancellation = default)
    {
        _buffer = GC.AllocateUninitializedArray<byte>(buffer);
        _cancellation = cancellation;
    }

    /// <summary>Bytes written or measured so far.</summary>
    public long Position { get; private set; }

    /// <summary>Starts over, writing; what is written must be what was measured.</summary>
    public void WriteTo(Stream destination)
    {
        _destination = destination;
        Position = 0;
        _nextLength = 0;
    }

    /// <summary>Starts over, measuring.</summary>
    public void Restart()
    {
        _lengths.Clear();
        Position = 0;
    }

    /// <summary>Hands everything to the destination.</summary>
    public void Flush()
    {
        if (_buffered > 0)
        {
            _destination!.Write(_buffer, 0, _buffered);
            _buffered = 0;
        }
    }

    /// <summary>Begins a submessage.</summary>
    public void Begin(int field)
    {
        if (_destination is null)
        {
            _open.Push((_lengths.Count, field, Position));
            _lengths.Add(0);
            return;
        }

        Tag(field, WireType.Bytes);
        Varint((ulong)_lengths[_nextLength++]);
    }

    /// <summary>Ends the submessage begun last.</summary>
    public void End()
    {
        if (_destination is null)
        {
            var (slot, field, start) = _open.Pop();
            var length = Position - start;
            _lengths[slot] = length;
            Position += SizeOf((ulong)field << 3) + SizeOf((ulong)length);
        }
    }

    /// <summary>A field's tag.</summary>
    public void Tag(int field, WireType wire) => Varint((ulong)field << 3 | (uint)wire);

    /// <summary>A number without tag.</summary>
    public void Varint(ulong value)
    {
        if (_destination is null)
        {
            Position += SizeOf(value);
            return;
        }

        Span<byte> bytes = stackalloc byte[10];
        var count = 0;
        for (; value >= 0x80; value >>= 7)
        {
            bytes[count++] = (byte)(value | 0x80);
        }

        bytes[count++] = (byte)value;
        Raw(bytes[..count]);
    }

    /// <summary>A number.</summary>
    public void Int64(int field, long value)
    {
        Tag(field, WireType.Varint);
        Varint((ulong)value);
    }

    /// <summary>A number, left out when it is 0 and the file had none.</summary>
    public void Int64(int field, long value, MessageOrigin? origin)
    {
        if (value != 0 || origin?.Has(field) == true)
        {
            Int64(field, value);
        }
    }

    /// <summary>A binary32.</summary>
    public void Float(int field, float value)
    {
        Tag(field, WireType.Fixed32);
        RawFloat(value);
    }

    /// <summary>A binary32 without tag.</summary>
    public void RawFloat(float value)
    {
        Span<byte> bytes = stackalloc byte[4];
        BinaryPrimitives.WriteSingleLittleEndian(bytes, value);
        Raw(bytes);
    }

    /// <summary>A text.</summary>
    public void String(int field, string value)
    {
        var length = Encoding.UTF8.GetByteCount(value);
        Tag(field, WireType.Bytes);
        Varint((ulong)length);
        if (_destination is null)
        {
            Position += length;
        }
        else if (length <= _buffer.Length)
        {
            Reserve(length);
            Encoding.UTF8.GetBytes(value, _buffer.AsSpan(_buffered));
            _buffered += length;
            Position += length;
        }
        else
        {
            Raw(Encoding.UTF8.GetBytes(value));
        }
    }

    /// <summary>A text, left out when it is empty and the file had none.</summary>
    public void String(int field, string value, MessageOrigin? origin)
    {
        if (value.Length > 0 || origin?.Has(field) == true)
        {
            String(field, value);
        }
    }

    /// <summary>Bytes, as field or submessage.</summary>
    public void Bytes(int field, ReadOnlySpan<byte> value)
    {
        Tag(field, WireType.Bytes);
        Varint((ulong)value.Length);
        Raw(value);
    }

    /// <summary>Bytes without tag.</summary>
    public void Raw(ReadOnlySpan<byte> bytes)
    {
        Position += bytes.Length;
        if (_destination is null)
        {
            return;
        }

        if (bytes.Length > _buffer.Length)
        {
            Flush();
            _destination.Write(bytes);
            return;
        }

        Reserve(bytes.Length);
        bytes.CopyTo(_buffer.AsSpan(_buffered));
        _buffered += bytes.Length;
    }

    /// <summary>A tensor's content, as field.</summary>
    public void Content(int field, TensorContent content)
    {
        Tag(field, WireType.Bytes);
        Varint((ulong)content.Length);
        RawContent(content.Length, content, static c => c);
    }

    /// <summary>A content without tag.</summary>
    /// <param name="length">Its length.</param>
    /// <param name="source">Passed to <paramref name="open"/>.</param>
    /// <param name="open">Gives the content; asked when it is written, not when it is measured.</param>
    public void RawContent<T>(long length, T source, Func<T, TensorContent> open)
    {
        Position += length;
        if (_destination is null || length == 0)
        {
            return;
        }

        if (length > SmallContent)
        {
            Flush();
            open(source).CopyTo(_destination, _cancellation);
            return;
        }

        using var view = open(source).Open();
        Reserve((int)length);
        view.Slice(0, (int)length).CopyTo(_buffer.AsSpan(_buffered));
        _buffered += (int)length;
    }

    /// <summary>Bytes needed for a varint.</summary>
    private static int SizeOf(ulong value) => (BitOperations.Log2(value | 1) / 7) + 1;

    private void Reserve(int length)
    {
        if (_buffered + length > _buffer.Length)
        {
            Flush();
        }
    }
}
