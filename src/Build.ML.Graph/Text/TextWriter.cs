using System.Collections.Immutable;
using System.Globalization;
using System.Text;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;

namespace Build.ML.Graph.Text;

/// <summary>Writes the text form, see <see cref="ModelText"/>.</summary>
sealed class TextWriter(int maxElements, bool types)
{
    private readonly StringBuilder _text = new();
    private int _indent;

    public string Write(Model model)
    {
        _text.Append(CultureInfo.InvariantCulture, $"<ir_version: {model.IrVersion}, opset_import: {Sets(model.OperatorSets)}");
        if (model.ProducerName.Length > 0)
        {
            _text.Append(", producer_name: ").Append(Quote(model.ProducerName));
        }

        _text.Append(">\n");
        Graph(model.Graph);
        _text.Append('\n');
        foreach (var function in model.Functions)
        {
            WriteFunction(function);
        }

        return _text.ToString();
    }

    /// <summary>The name, quoted where it needs to be.</summary>
    public static string Name(string name) => name.Length > 0 && name[0] != '-' && name.All(IsNameCharacter) ? name : Quote(name);

    public static bool IsNameCharacter(char c) => char.IsAsciiLetterOrDigit(c) || c is '_' or '.' or '/' or ':' or '$' or '@' or '-' or '?';

    private static string Quote(string text) =>
        $"\"{text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal).Replace("\n", "\\n", StringComparison.Ordinal)}\"";

    private static string Sets(OperatorSets sets) =>
        $"[{string.Join(", ", sets.Select(s => $"{Quote(s.Key)}: {s.Value.ToString(CultureInfo.InvariantCulture)}"))}]";

    private void WriteFunction(Function function)
    {
        _text.Append(CultureInfo.InvariantCulture, $"<domain: {Quote(function.Domain)}, opset_import: {Sets(function.OperatorSets)}>\n");
        var attributes = function.RequiredAttributes.Select(Name).ToList();
        _text.Append(Name(function.Name));
        if (attributes.Count > 0 || function.DefaultAttributes.Count > 0)
        {
            _text.Append(" <").AppendJoin(", ", attributes);
            for (var i = 0; i < function.DefaultAttributes.Count; i++)
            {
                _text.Append(i + attributes.Count > 0 ? ", " : "");
                Attribute(function.DefaultAttributes[i]);
            }

            _text.Append('>');
        }

        _text.Append(" (").AppendJoin(", ", function.Body.Inputs.Select(i => Name(i.Name))).Append(") => (")
            .AppendJoin(", ", function.Body.Outputs.Select(i => Name(i.Name))).Append(")\n");
        Nodes(function.Body);
        _text.Append('\n');
    }

    private void Graph(OnnxGraph graph)
    {
        _text.Append(Name(graph.Name.Length > 0 ? graph.Name : "graph"))
            .Append(" (").AppendJoin(", ", graph.Inputs.Select(Declaration)).Append(") => (").AppendJoin(", ", graph.Outputs.Select(Declaration)).Append(")\n");
        if (graph.Initializers.Count > 0)
        {
            Indent().Append('<');
            for (var i = 0; i < graph.Initializers.Count; i++)
            {
                _text.Append(i > 0 ? ", " : "").Append(graph.Initializers[i].Initializer).Append(' ').Append(Name(graph.Initializers[i].Name)).Append(" = ");
                Elements(graph.Initializers[i].Initializer!);
            }

            _text.Append(">\n");
        }

        Nodes(graph);
    }

    private void Nodes(OnnxGraph graph)
    {
        Indent().Append("{\n");
        _indent++;
        foreach (var node in graph.Nodes)
        {
            Indent();
            WriteNode(node);
            _text.Append('\n');
        }

        _indent--;
        Indent().Append('}');
    }

    private void WriteNode(Node node)
    {
        if (node.Name.Length > 0 && (node.Outputs.Count == 0 || node.Outputs[0].Name != node.Name))
        {
            _text.Append('[').Append(Name(node.Name)).Append("] ");
        }

        _text.AppendJoin(", ", node.Outputs.Select(o => Name(o.Name))).Append(" = ")
            .Append(Name(node.Domain.Length > 0 ? $"{node.Domain}.{node.OpType}" : node.OpType));
        if (node.Attributes.Count > 0)
        {
            _text.Append('<');
            for (var i = 0; i < node.Attributes.Count; i++)
            {
                _text.Append(i > 0 ? ", " : "");
                Attribute(node.Attributes[i]);
            }

            _text.Append('>');
        }

        _text.Append('(').AppendJoin(", ", node.Inputs.Select(i => i is null ? "" : Name(i.Name))).Append(')');
        if (types && node.Outputs.Any(o => o.Type is not null))
        {
            _text.Append("  # ").AppendJoin(", ", node.Outputs.Select(o => o.Type?.ToString() ?? "?"));
        }
    }

    private void Attribute(NodeAttribute attribute)
    {
        _text.Append(Name(attribute.Name));
        if (attribute.ReferenceName.Length > 0)
        {
            _text.Append(": ").Append(attribute.Kind.ToString().ToLowerInvariant()).Append(" = @").Append(Name(attribute.ReferenceName));
            return;
        }

        if (attribute.Value is ImmutableArray<long> { Length: 0 } or ImmutableArray<float> { Length: 0 } or ImmutableArray<ReadOnlyMemory<byte>> { Length: 0 })
        {
            _text.Append(": ").Append(attribute.Kind.ToString().ToLowerInvariant());
        }

        _text.Append(" = ");
        switch (attribute.Value)
        {
            case long value:
                _text.Append(value);
                break;
            case float value:
                _text.Append(Real(value));
                break;
            case ReadOnlyMemory<byte> value:
                _text.Append(Quote(Encoding.UTF8.GetString(value.Span)));
                break;
            case ImmutableArray<long> values:
                _text.Append('[').AppendJoin(", ", values).Append(']');
                break;
            case ImmutableArray<float> values:
                _text.Append('[').AppendJoin(", ", values.Select(v => Real(v))).Append(']');
                break;
            case ImmutableArray<ReadOnlyMemory<byte>> values:
                _text.Append('[').AppendJoin(", ", values.Select(v => Quote(Encoding.UTF8.GetString(v.Span)))).Append(']');
                break;
            case Tensor tensor:
                _text.Append(tensor).Append(' ');
                Elements(tensor);
                break;
            case OnnxGraph graph:
                Graph(graph);
                break;
            case OnnxType type:
                _text.Append("type ").Append(TypeText(type));
                break;
            default:
                _text.Append("{…}"); // lists of tensors, graphs and types, sparse tensors: for reading only
                break;
        }
    }

    private void Elements(Tensor tensor)
    {
        if (tensor.Count > maxElements)
        {
            _text.Append("{…}");
            return;
        }

        var elements = tensor.Type switch
        {
            DataType.Float => tensor.ToArray<float>().Select(v => Real(v)),
            DataType.Double => tensor.ToArray<double>().Select(v => Real(v)),
            DataType.Float16 => tensor.ToArray<Half>().Select(v => Real((float)v)),
            DataType.Int64 => tensor.ToArray<long>().Select(Integer),
            DataType.Int32 => tensor.ToArray<int>().Select(v => Integer(v)),
            DataType.Int16 => tensor.ToArray<short>().Select(v => Integer(v)),
            DataType.Int8 => tensor.ToArray<sbyte>().Select(v => Integer(v)),
            DataType.UInt8 => tensor.ToArray<byte>().Select(v => Integer(v)),
            DataType.UInt16 => tensor.ToArray<ushort>().Select(v => Integer(v)),
            DataType.UInt32 => tensor.ToArray<uint>().Select(v => Integer(v)),
            DataType.Bool => tensor.ToArray<byte>().Select(v => Integer(v)),
            DataType.String => tensor.Strings.Select(Quote),
            _ => null,
        };
        if (elements is null)
        {
            _text.Append("{0x").Append(Convert.ToHexString(tensor.ToArray<byte>())).Append('}');
        }
        else
        {
            _text.Append('{').AppendJoin(", ", elements).Append('}');
        }
    }

    private static string Declaration(Value value) => value.Type is { } type
        ? $"{TypeText(type)} {Name(value.Name)}"
        : TextLiterals.IsTypeName(value.Name) ? Quote(value.Name) : Name(value.Name); // an untyped value may be called "float"

    private static string TypeText(OnnxType? type) => type switch
    {
        TensorType t => t.ElementType.OnnxName() + ShapeText(t.Shape),
        SparseTensorType t => $"sparse({t.ElementType.OnnxName()}{ShapeText(t.Shape)})",
        SequenceType t => $"seq({TypeText(t.ElementType)})",
        OptionalType t => $"optional({TypeText(t.ElementType)})",
        MapType t => $"map({t.KeyType.OnnxName()}, {TypeText(t.ValueType)})",
        _ => $"{type}",
    };

    private static string ShapeText(Shape? shape) => shape is null
        ? "" : $"[{string.Join(',', shape.Dimensions.Select(d => d.Symbol is { } symbol ? Name(symbol) : d.ToString()))}]";

    private static string Integer(long value) => value.ToString(CultureInfo.InvariantCulture);

    private static string Real(float value) => WithPoint(value.ToString("R", CultureInfo.InvariantCulture));

    private static string Real(double value) => WithPoint(value.ToString("R", CultureInfo.InvariantCulture));

    private static string WithPoint(string number) => number switch
    {
        "NaN" => "nan",
        "Infinity" => "inf",
        "-Infinity" => "-inf",
        _ => number.AsSpan().IndexOfAny(".E") >= 0 ? number : number + ".0",
    };

    private StringBuilder Indent() => _text.Append(' ', 2 * _indent);
}
