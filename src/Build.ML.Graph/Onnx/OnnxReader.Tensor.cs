using System.Text;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;

namespace Build.ML.Graph.Onnx;

internal sealed partial class OnnxReader
{
    /// <summary>What the fields of one TensorProto said.</summary>
    private sealed class TensorParts
    {
        public List<long> Sizes { get; } = [];

        public DataType Type { get; set; }

        public string Name { get; set; } = "";

        public string DocString { get; set; } = "";

        public byte[] Segment { get; set; } = [];

        public bool IsExternal { get; set; }

        public List<KeyValuePair<string, string>>? ExternalEntries { get; set; }

        public List<KeyValuePair<string, string>>? Metadata { get; set; }

        public List<string>? Strings { get; set; }

        public List<DataRun>? Runs { get; set; }

        /// <summary>Elements per data field so far, by field number.</summary>
        public long[] Elements { get; } = new long[12];

        public (long Offset, long Length)? Raw { get; set; }

        /// <summary>The raw data itself where there is little of it.</summary>
        public byte[]? RawBytes { get; set; }

        /// <summary>The payload of the only packed list of fixed width.</summary>
        public (int Field, long Offset, long Length)? Packed { get; set; }
    }

    /// <summary>Reads the tensor that the field at hand holds; null when it is wrong in itself, which is reported.</summary>
    private Tensor? ReadTensor(string kind, int index)
    {
        var origin = new MessageOrigin();
        var parts = new TensorParts();
        var outer = _reader.Enter(kind, null, index);
        while (_reader.Next())
        {
            origin.Saw(_reader.Field);
            ReadTensorField(parts, origin);
        }

        var tensor = Assemble(parts, origin);
        _reader.Leave(outer);
        return tensor;
    }

    private void ReadTensorField(TensorParts parts, MessageOrigin origin)
    {
        switch (_reader.Field)
        {
            case TensorField.Dims:
                ReadInts(parts.Sizes, origin);
                break;
            case TensorField.DataType:
                parts.Type = (DataType)_reader.ReadInt64();
                break;
            case TensorField.Segment:
                parts.Segment = _reader.ReadBytes();
                break;
            case TensorField.FloatData or TensorField.Int32Data or TensorField.Int64Data or TensorField.DoubleData or TensorField.UInt64Data:
                ReadDataRun(parts);
                break;
            case TensorField.StringData:
                (parts.Strings ??= []).Add(Encoding.UTF8.GetString(_reader.ReadBytes()));
                AddRun(parts, 1);
                break;
            case TensorField.Name:
                parts.Name = _reader.ReadString();
                _reader.Name(parts.Name);
                break;
            case TensorField.RawData:
                var length = _reader.ReadLength();
                parts.Raw = (_reader.Position, length);
                parts.RawBytes = length <= ByteSource.SmallContent ? _reader.ReadBytes(length) : null;
                _reader.Skip(parts.RawBytes is null ? length : 0);
                break;
            case TensorField.DocString:
                parts.DocString = _reader.ReadString();
                break;
            case TensorField.ExternalData:
                (parts.ExternalEntries ??= []).Add(ReadEntry().Entry);
                break;
            case TensorField.DataLocation:
                parts.IsExternal = _reader.ReadInt64() == 1;
                break;
            case TensorField.MetadataProps:
                ReadEntry(parts.Metadata ??= [], origin);
                break;
            default:
                _reader.KeepUnknown(origin);
                break;
        }
    }

    private void ReadDataRun(TensorParts parts)
    {
        var field = _reader.Field;
        var width = field switch { TensorField.FloatData => 4, TensorField.DoubleData => 8, _ => 0 };
        if (_reader.Wire != WireType.Bytes)
        {
            _reader.Expect(width switch { 4 => WireType.Fixed32, 8 => WireType.Fixed64, _ => WireType.Varint });
            _reader.SkipValue();
            AddRun(parts, 1);
            return;
        }

        var length = _reader.ReadLength();
        var payload = _reader.Position;
        if (width == 0)
        {
            AddRun(parts, _reader.SkipVarints(length));
            return;
        }

        if (length % width != 0)
        {
            throw _reader.Malformed($"a packed list of {width}-byte numbers has {length} bytes");
        }

        _reader.Skip(length);
        parts.Packed = (field, payload, length);
        AddRun(parts, length / width);
    }

    private void AddRun(TensorParts parts, long elements)
    {
        var field = _reader.Field;
        parts.Elements[field] += elements;
        var runs = parts.Runs ??= [];
        if (runs.Count > 0 && runs[^1] is var last && last.Field == field && last.Offset + last.Length == _reader.FieldStart)
        {
            runs[^1] = last with { Length = _reader.Position - last.Offset };
        }
        else
        {
            runs.Add(new(field, _source, _reader.FieldStart, _reader.Position - _reader.FieldStart));
        }
    }

    private Tensor? Assemble(TensorParts parts, MessageOrigin message)
    {
        var type = parts.Type;
        if (!Enum.IsDefined(type) || type == DataType.Undefined)
        {
            Report("BML2006", $"In {_reader.Place}, the data type is {(int)type}; expected 1 to {(int)DataType.Int2}. A newer version of Build.ML may know it.");
            return null;
        }

        if (ByteLength(type, parts.Sizes) is not { } length)
        {
            Report("BML2007", $"In {_reader.Place}, the sizes [{string.Join(',', parts.Sizes)}] are negative or their product does not fit 63 bits.");
            return null;
        }

        if (!TryGetContent(parts, type, length, out var content, out var field))
        {
            return null;
        }

        var sizes = System.Runtime.InteropServices.CollectionsMarshal.AsSpan(parts.Sizes);
        var origin = new TensorOrigin(message)
        {
            ContentField = field,
            Runs = field is TensorField.RawData or 0 || parts.Runs is { Count: > 1 } ? parts.Runs ?? [] : [],
            Segment = parts.Segment,
            IsExternal = parts.IsExternal,
            Metadata = parts.Metadata ?? [],
        };
        return type == DataType.String
            ? new Tensor(sizes, parts.Strings is null ? [] : [.. parts.Strings]) { Name = parts.Name, DocString = parts.DocString, Origin = origin }
            : new Tensor(type, sizes, content) { Name = parts.Name, DocString = parts.DocString, Origin = origin };
    }

    /// <summary>Finds the elements; field is that of raw or packed content, 0 when they are decoded or external.</summary>
    private bool TryGetContent(TensorParts parts, DataType type, long length, out TensorContent content, out int field)
    {
        field = 0;
        content = new MemoryContent(default);
        if (parts.IsExternal)
        {
            try
            {
                content = _external.Content(parts.ExternalEntries ?? [], length, type, _reader.Place);
                return true;
            }
            catch (Diagnostics.DiagnosticException e)
            {
                foreach (var error in e.Diagnostics)
                {
                    Report(error.Code, error.Message);
                }

                return false;
            }
        }

        var (expectedField, expected) = TypedContent.Layout(type, length, Count(parts.Sizes));
        var hasOther = false;
        for (var i = 0; i < parts.Elements.Length; i++)
        {
            hasOther |= i != expectedField && parts.Elements[i] > 0;
        }

        var typed = parts.Elements[expectedField];
        if (hasOther || (parts.Raw is { Length: > 0 } && (typed > 0 || type == DataType.String)))
        {
            Report("BML2008", $"In {_reader.Place}, a tensor {Describe(type, parts.Sizes)} has elements in several fields, or in one that is not for its type.");
            return false;
        }

        if (parts.Raw is { } raw && typed == 0 && type != DataType.String)
        {
            if (raw.Length != length)
            {
                Report("BML2008", $"In {_reader.Place}, a tensor {Describe(type, parts.Sizes)} takes {length} bytes, the file holds {raw.Length}.");
                return false;
            }

            field = TensorField.RawData;
            content = parts.RawBytes is { } bytes ? new MemoryContent(bytes) : _source.Content(raw.Offset, length);
            return true;
        }

        if (typed != expected)
        {
            Report("BML2008", $"In {_reader.Place}, a tensor {Describe(type, parts.Sizes)} takes {expected} numbers, the file holds {typed}.");
            return false;
        }

        if (type == DataType.String || expected == 0)
        {
            return true;
        }

        if (parts.Packed is { } packed && packed.Length == length)
        {
            field = expectedField;
            content = _source.Content(packed.Offset, length);
            return true;
        }

        content = new TypedContent(type, length, [.. parts.Runs!.Where(r => r.Field == expectedField)], _file);
        return true;
    }

    private SparseTensor? ReadSparseTensor()
    {
        var origin = new MessageOrigin();
        Tensor? values = null, indices = null;
        var sizes = new List<long>();
        var outer = _reader.Enter("sparse tensor");
        var errors = _errors.Count;
        while (_reader.Next())
        {
            origin.Saw(_reader.Field);
            switch (_reader.Field)
            {
                case SparseTensorField.Values:
                    values = ReadTensor("values", -1);
                    break;
                case SparseTensorField.Indices:
                    indices = ReadTensor("indices", -1);
                    break;
                case SparseTensorField.Dims:
                    ReadInts(sizes, origin);
                    break;
                default:
                    _reader.KeepUnknown(origin);
                    break;
            }
        }

        if (values is null || indices is null)
        {
            if (errors == _errors.Count)
            {
                Report("BML2008", $"In {_reader.Place}, a sparse tensor lacks its values or its indices.");
            }

            _reader.Leave(outer);
            return null;
        }

        _reader.Leave(outer);
        return new SparseTensor(values, indices, [.. sizes]) { Origin = origin };
    }

    private static string Describe(DataType type, List<long> sizes) => $"{type.OnnxName()}[{string.Join(',', sizes)}]";

    private static long Count(List<long> sizes)
    {
        long count = 1;
        foreach (var size in sizes)
        {
            if (size == 0)
            {
                return 0;
            }
        }

        foreach (var size in sizes)
        {
            count *= size;
        }

        return count;
    }

    private static long? ByteLength(DataType type, List<long> sizes)
    {
        var count = sizes.Contains(0) ? UInt128.Zero : UInt128.One;
        foreach (var size in sizes)
        {
            if (size < 0 || (count *= (ulong)size) > long.MaxValue)
            {
                return null;
            }
        }

        var bytes = ((count * (uint)type.BitWidth()) + 7) / 8;
        return bytes > long.MaxValue ? null : (long)bytes;
    }
}
