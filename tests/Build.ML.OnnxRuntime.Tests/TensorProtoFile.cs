using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;
using Build.ML.Graph;
using Build.ML.Graph.Tensors;

namespace Build.ML.OnnxRuntime.Tests;

/// <summary>
/// Reads a file that is one TensorProto (fields of onnx.proto3: 1 dims, 2 data_type, 4 float_data, 5 int32_data, 6 string_data, 7 int64_data, 8 name,
/// 9 raw_data, 10 double_data, 11 uint64_data). Independent of the product's reader on purpose.
/// </summary>
static class TensorProtoFile
{
    public static Tensor Read(string path)
    {
        var reader = new Wire(File.ReadAllBytes(path));
        var (dims, type, raw) = (new List<long>(), DataType.Undefined, default(byte[]));
        var strings = new List<string>();
        var values = new MemoryStream();
        while (reader.Next(out var field, out var wireType))
        {
            switch (field)
            {
                case 1 or 5 or 7 or 11:
                    foreach (var value in reader.Varints(wireType))
                    {
                        if (field == 1)
                            dims.Add(value);
                        else
                            values.Write(Element(type, value));
                    }

                    break;
                case 2:
                    type = (DataType)reader.Varint();
                    break;
                case 4 or 10 when wireType == 2:
                    values.Write(reader.Bytes());
                    break;
                case 6:
                    strings.Add(Encoding.UTF8.GetString(reader.Bytes()));
                    break;
                case 8:
                    reader.Bytes();
                    break;
                case 9:
                    raw = reader.Bytes().ToArray();
                    break;
                default:
                    throw new InvalidDataException($"{path}: field {field} is not expected here.");
            }
        }

        var sizes = CollectionsMarshal.AsSpan(dims);
        return type == DataType.String ? new Tensor(sizes, [.. strings]) : Tensor.OfBytes(type, raw ?? values.ToArray(), sizes);
    }

    static byte[] Element(DataType type, long value)
    {
        var bytes = new byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(bytes, value);
        return bytes[..(type.BitWidth() / 8)];
    }

    ref struct Wire(ReadOnlySpan<byte> data)
    {
        ReadOnlySpan<byte> _rest = data;

        public bool Next(out int field, out int wireType)
        {
            (field, wireType) = (0, 0);
            if (_rest.IsEmpty)
                return false;
            var tag = Varint();
            (field, wireType) = ((int)(tag >> 3), (int)(tag & 7));
            return true;
        }

        public long Varint()
        {
            ulong value = 0;
            for (var shift = 0; ; shift += 7)
            {
                var b = _rest[0];
                _rest = _rest[1..];
                value |= (ulong)(b & 0x7f) << shift;
                if (b < 0x80)
                    return (long)value;
            }
        }

        public List<long> Varints(int wireType)
        {
            if (wireType == 0)
                return [Varint()];
            var inner = new Wire(Bytes());
            var values = new List<long>();
            while (!inner._rest.IsEmpty)
                values.Add(inner.Varint());
            return values;
        }

        public ReadOnlySpan<byte> Bytes()
        {
            var length = (int)Varint();
            var bytes = _rest[..length];
            _rest = _rest[length..];
            return bytes;
        }
    }
}
