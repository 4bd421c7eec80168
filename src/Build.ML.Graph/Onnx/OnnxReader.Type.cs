namespace Build.ML.Graph.Onnx;

internal sealed partial class OnnxReader
{
    /// <summary>The type that the field at hand holds; its bytes too, when the writer would encode it otherwise.</summary>
    private (OnnxType? Type, byte[]? Encoded) ReadTypeKeepingOdd()
    {
        var type = ReadType(out var bytes);
        return (type, TypeWriter.Encode(type).AsSpan().SequenceEqual(bytes) ? null : bytes);
    }

    private OnnxType ReadTypeOf(MessageOrigin parent)
    {
        var field = _reader.Field;
        var (type, encoded) = ReadTypeKeepingOdd();
        type ??= new OpaqueType("", "");
        if (encoded is not null)
        {
            parent.KeepOdd(field, type, encoded);
        }

        return type;
    }

    private OnnxType? ReadType(out byte[] bytes)
    {
        OnnxType? type = null;
        var denotation = "";
        var outer = _reader.Enter("type");
        var start = _reader.Position;
        while (_reader.Next())
        {
            switch (_reader.Field)
            {
                case TypeField.Tensor:
                    var (element, shape) = ReadTensorType();
                    type = new TensorType(element, shape);
                    break;
                case TypeField.SparseTensor:
                    (element, shape) = ReadTensorType();
                    type = new SparseTensorType(element, shape);
                    break;
                case TypeField.Sequence:
                    type = new SequenceType(ReadElement().Value);
                    break;
                case TypeField.Optional:
                    type = new OptionalType(ReadElement().Value);
                    break;
                case TypeField.Map:
                    var (value, key) = ReadElement();
                    type = new MapType(key, value);
                    break;
                case TypeField.Opaque:
                    type = ReadOpaque();
                    break;
                case TypeField.Denotation:
                    denotation = _reader.ReadString();
                    break;
                default:
                    _reader.SkipValue();
                    break;
            }
        }

        bytes = _reader.Since(start);
        _reader.Leave(outer);
        return type is not null && denotation.Length > 0 ? type with { Denotation = denotation } : type;
    }

    private (DataType Element, Shape? Shape) ReadTensorType()
    {
        var element = DataType.Undefined;
        Shape? shape = null;
        var outer = _reader.Enter("tensor type");
        while (_reader.Next())
        {
            switch (_reader.Field)
            {
                case TypeField.ElementType:
                    element = (DataType)_reader.ReadInt64();
                    break;
                case TypeField.Shape:
                    shape = ReadShape();
                    break;
                default:
                    _reader.SkipValue();
                    break;
            }
        }

        _reader.Leave(outer);
        return (element, shape);
    }

    /// <summary>Sequence and optional have their element as field 1; map has its key there, a number, and its value as field 2.</summary>
    private (OnnxType? Value, DataType Key) ReadElement()
    {
        OnnxType? element = null;
        var key = DataType.Undefined;
        var isMap = _reader.Field == TypeField.Map;
        var outer = _reader.Enter("element type");
        while (_reader.Next())
        {
            if (isMap && _reader.Field == TypeField.KeyType)
            {
                key = (DataType)_reader.ReadInt64();
            }
            else if (_reader.Field == (isMap ? TypeField.ValueType : TypeField.ElementType))
            {
                element = ReadType(out _);
            }
            else
            {
                _reader.SkipValue();
            }
        }

        _reader.Leave(outer);
        return (element, key);
    }

    private OpaqueType ReadOpaque()
    {
        var (domain, name) = ("", "");
        var outer = _reader.Enter("opaque type");
        while (_reader.Next())
        {
            switch (_reader.Field)
            {
                case TypeField.OpaqueDomain:
                    domain = _reader.ReadString();
                    break;
                case TypeField.OpaqueName:
                    name = _reader.ReadString();
                    break;
                default:
                    _reader.SkipValue();
                    break;
            }
        }

        _reader.Leave(outer);
        return new OpaqueType(domain, name);
    }

    private Shape ReadShape()
    {
        var dimensions = new List<Dimension>();
        List<string>? denotations = null;
        var outer = _reader.Enter("shape");
        while (_reader.Next())
        {
            if (_reader.Field != TypeField.Dim)
            {
                _reader.SkipValue();
                continue;
            }

            dimensions.Add(ReadDimension(out var denotation));
            if (denotation.Length > 0)
            {
                denotations ??= [];
                while (denotations.Count < dimensions.Count - 1)
                {
                    denotations.Add("");
                }

                denotations.Add(denotation);
            }
        }

        _reader.Leave(outer);
        return new Shape(dimensions) { Denotations = denotations is null ? [] : [.. denotations] };
    }

    private Dimension ReadDimension(out string denotation)
    {
        var dimension = Dimension.Unknown;
        denotation = "";
        var outer = _reader.Enter("dimension");
        while (_reader.Next())
        {
            switch (_reader.Field)
            {
                case TypeField.DimValue:
                    // Some exporters write -1 for an unknown size.
                    dimension = _reader.ReadInt64() is >= 0 and < long.MaxValue and var size ? new Dimension(size) : Dimension.Unknown;
                    break;
                case TypeField.DimParam:
                    dimension = _reader.ReadString() is { Length: > 0 } symbol ? new Dimension(symbol) : Dimension.Unknown;
                    break;
                case TypeField.DimDenotation:
                    denotation = _reader.ReadString();
                    break;
                default:
                    _reader.SkipValue();
                    break;
            }
        }

        _reader.Leave(outer);
        return dimension;
    }
}
