using System.Collections.Immutable;
using System.Globalization;
using System.Text;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;

namespace Build.ML.Graph.Text;

/// <summary>Reads numbers, types, tensors and attribute values of the text form.</summary>
sealed class TextLiterals(TextLexer lexer)
{
    private static readonly ImmutableDictionary<string, DataType> ElementNames =
        Enum.GetValues<DataType>().Distinct().ToImmutableDictionary(t => t.OnnxName(), StringComparer.Ordinal);

    public static bool IsTypeName(string text) => ElementNames.ContainsKey(text) || text is "seq" or "optional" or "sparse" or "map";

    public long Integer()
    {
        var at = lexer.Current;
        return long.TryParse(lexer.ExpectName("an integer"), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var value)
            ? value : throw lexer.Error($"Expected an integer, found {TextLexer.Shown(at)}.", at);
    }

    public OnnxType Type()
    {
        var at = lexer.Current;
        var name = lexer.ExpectName("a type");
        if (ElementNames.TryGetValue(name, out var element))
        {
            return new TensorType(element, Shape());
        }

        lexer.Expect("(");
        OnnxType type;
        switch (name)
        {
            case "seq":
                type = new SequenceType(Type());
                break;
            case "optional":
                type = new OptionalType(Type());
                break;
            case "sparse":
                type = Type() is TensorType t ? new SparseTensorType(t.ElementType, t.Shape) : throw lexer.Error("sparse() holds a tensor type.", at);
                break;
            case "map":
                var key = ElementNames.GetValueOrDefault(lexer.ExpectName("a key type"));
                lexer.Expect(",");
                type = new MapType(key, Type());
                break;
            default:
                throw lexer.Error($"'{name}' is no type.", at);
        }

        lexer.Expect(")");
        return type;
    }

    /// <summary>The elements in braces, for a type with known sizes.</summary>
    public Tensor Elements(TensorType type, Token at)
    {
        if (type.Shape?.ToSizes() is not { } sizes)
        {
            throw lexer.Error($"A constant needs sizes, found the type {type}.", at);
        }

        lexer.Expect("{");
        if (lexer.Is("…"))
        {
            throw lexer.Error("The elements were left out when this was written; write it with a higher limit.");
        }

        var texts = new List<Token>();
        while (!lexer.TryTake("}"))
        {
            texts.Add(lexer.Current);
            lexer.ExpectName("an element");
            if (!lexer.Is("}"))
            {
                lexer.Expect(",");
            }
        }

        if (texts is [{ Kind: TokenKind.Name, Text: ['0', 'x', ..] } hex])
        {
            return Tensor.OfBytes(type.ElementType, Convert.FromHexString(hex.Text.AsSpan(2)), sizes);
        }

        var count = sizes.Aggregate(1L, (a, b) => checked(a * b));
        if (texts.Count != count)
        {
            throw lexer.Error($"{type} has {count} elements, found {texts.Count}.", at);
        }

        return type.ElementType switch
        {
            DataType.Float => Read(texts, sizes, Real),
            DataType.Double => Read(texts, sizes, t => RealOf<double>(t)),
            DataType.Float16 => Read(texts, sizes, t => (Half)Real(t)),
            DataType.Int64 => Read(texts, sizes, RealOf<long>),
            DataType.Int32 => Read(texts, sizes, RealOf<int>),
            DataType.Int16 => Read(texts, sizes, RealOf<short>),
            DataType.Int8 => Read(texts, sizes, RealOf<sbyte>),
            DataType.UInt8 => Read(texts, sizes, RealOf<byte>),
            DataType.UInt16 => Read(texts, sizes, RealOf<ushort>),
            DataType.UInt32 => Read(texts, sizes, RealOf<uint>),
            DataType.Bool => Read(texts, sizes, t => RealOf<byte>(t) != 0),
            DataType.String => new Tensor(sizes, [.. texts.Select(t => t.Text)]),
            _ => throw lexer.Error($"Elements of {type.ElementType.OnnxName()} are written as bytes, {{0x…}}.", at),
        };
    }

    /// <summary>A number, string, list, tensor or type; null when something else, a graph, follows.</summary>
    public NodeAttribute? TryAttribute(string name, AttributeKind kind)
    {
        var first = lexer.Current;
        if (lexer.TryTake("["))
        {
            var items = new List<Token>();
            while (!lexer.TryTake("]"))
            {
                items.Add(lexer.Current);
                lexer.ExpectName("an item");
                if (!lexer.Is("]"))
                {
                    lexer.Expect(",");
                }
            }

            return ListOf(name, kind, items);
        }

        switch (first.Kind)
        {
            case TokenKind.Quoted:
                return NodeAttribute.String(name, lexer.Take().Text);
            case TokenKind.Name when IsNumber(first.Text):
                lexer.Take();
                return kind == AttributeKind.Float || !IsInteger(first.Text)
                    ? NodeAttribute.Float(name, Real(first)) : NodeAttribute.Int(name, RealOf<long>(first));
            case TokenKind.Name when first.Text == "type":
                lexer.Take();
                return new NodeAttribute(name, AttributeKind.TypeProto, Type());
            case TokenKind.Name when IsTypeName(first.Text):
                var type = Type() as TensorType ?? throw lexer.Error("Expected a tensor.", first);
                return NodeAttribute.Tensor(name, Elements(type, first));
            default:
                return null;
        }
    }

    private NodeAttribute ListOf(string name, AttributeKind kind, List<Token> items)
    {
        if (kind == AttributeKind.Strings || items.Any(i => i.Kind == TokenKind.Quoted))
        {
            return new NodeAttribute(
                name, AttributeKind.Strings, items.Select(i => (ReadOnlyMemory<byte>)Encoding.UTF8.GetBytes(i.Text)).ToImmutableArray());
        }

        return kind == AttributeKind.Floats || items.Any(i => !IsInteger(i.Text))
            ? NodeAttribute.Floats(name, [.. items.Select(Real)])
            : NodeAttribute.Ints(name, [.. items.Select(RealOf<long>)]);
    }

    private static bool IsNumber(string text) =>
        text is "nan" or "inf" or "-inf" || char.IsAsciiDigit(text[0]) || (text.Length > 1 && text[0] == '-' && char.IsAsciiDigit(text[1]));

    private static bool IsInteger(string text) => text.AsSpan().TrimStart('-').IndexOfAnyExceptInRange('0', '9') < 0;

    private static Tensor Read<T>(List<Token> texts, long[] sizes, Func<Token, T> read)
        where T : unmanaged
    {
        var values = texts.Select(read).ToArray();
        return new Tensor(DataTypes.Of<T>(), sizes, Tensor.Of(values, values.Length).Content);
    }

    private Shape? Shape()
    {
        if (!lexer.TryTake("["))
        {
            return null;
        }

        var dimensions = new List<Dimension>();
        while (!lexer.TryTake("]"))
        {
            var text = lexer.ExpectName("a dimension");
            dimensions.Add(long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var size)
                ? new Dimension(size) : text is "?" or "" ? Dimension.Unknown : new Dimension(text));
            if (!lexer.Is("]"))
            {
                lexer.Expect(",");
            }
        }

        return new Shape(dimensions);
    }

    private float Real(Token token) => RealOf<float>(token);

    private T RealOf<T>(Token token)
        where T : System.Numerics.INumber<T>
    {
        var text = token.Text switch { "nan" => "NaN", "inf" => "Infinity", "-inf" => "-Infinity", var other => other };
        return T.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var value)
            ? value : throw lexer.Error($"'{token.Text}' is no {typeof(T).Name}.", token);
    }
}
