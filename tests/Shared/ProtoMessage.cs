using System.Text;

namespace Build.ML.TestSupport;

/// <summary>
/// Writes protobuf messages field by field, in any order and form a writer may choose: what tests of the ONNX reader need, independent of the product's own writer.
/// </summary>
public sealed class ProtoMessage
{
    readonly List<byte> bytes = [];

    /// <summary>The message's bytes.</summary>
    public byte[] ToArray() => [.. bytes];

    /// <summary>A number as varint.</summary>
    public ProtoMessage Varint(int field, long value) => Tag(field, 0).Raw((ulong)value);

    /// <summary>A binary32.</summary>
    public ProtoMessage Float(int field, float value) => Tag(field, 5).Raw(BitConverter.GetBytes(value));

    /// <summary>A binary64.</summary>
    public ProtoMessage Double(int field, double value) => Tag(field, 1).Raw(BitConverter.GetBytes(value));

    /// <summary>Bytes.</summary>
    public ProtoMessage Bytes(int field, ReadOnlySpan<byte> value) => Tag(field, 2).Raw((ulong)value.Length).Raw(value);

    /// <summary>A text.</summary>
    public ProtoMessage Text(int field, string value) => Bytes(field, Encoding.UTF8.GetBytes(value));

    /// <summary>Texts, one field each.</summary>
    public ProtoMessage Texts(int field, params string[] values)
    {
        foreach (var value in values)
            Text(field, value);
        return this;
    }

    /// <summary>A submessage.</summary>
    public ProtoMessage Message(int field, ProtoMessage value) => Bytes(field, value.ToArray());

    /// <summary>Numbers, one field each.</summary>
    public ProtoMessage Varints(int field, params long[] values)
    {
        foreach (var value in values)
            Varint(field, value);
        return this;
    }

    /// <summary>Numbers packed into one field.</summary>
    public ProtoMessage Packed(int field, params long[] values)
    {
        var list = new ProtoMessage();
        foreach (var value in values)
            list.Raw((ulong)value);
        return Bytes(field, list.ToArray());
    }

    /// <summary>Binary32s packed into one field.</summary>
    public ProtoMessage PackedFloats(int field, params float[] values) => Bytes(field, System.Runtime.InteropServices.MemoryMarshal.AsBytes<float>(values));

    /// <summary>Binary64s packed into one field.</summary>
    public ProtoMessage PackedDoubles(int field, params double[] values) => Bytes(field, System.Runtime.InteropServices.MemoryMarshal.AsBytes<double>(values));

    /// <summary>A field's tag alone.</summary>
    public ProtoMessage Tag(int field, int wireType) => Raw((ulong)field << 3 | (uint)wireType);

    /// <summary>A varint without tag.</summary>
    public ProtoMessage Raw(ulong value)
    {
        for (; value >= 0x80; value >>= 7)
            bytes.Add((byte)(value | 0x80));
        bytes.Add((byte)value);
        return this;
    }

    /// <summary>Any bytes.</summary>
    public ProtoMessage Raw(ReadOnlySpan<byte> value)
    {
        bytes.AddRange(value);
        return this;
    }
}
