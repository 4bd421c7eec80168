using System.Globalization;

namespace Build.ML.Graph.Shapes;

/// <summary>
/// An integer of which something is known: its value, or that it is a named symbol plus an offset (<c>width−1</c>), or nothing (<c>default</c>). Computing
/// with it gives the value, or a symbol whose name spells the expression; equal computations on equal symbols give equal names.
/// </summary>
public readonly record struct SymbolicInteger
{
    /// <summary>Longer expressions become unknown: nobody reads them, and nested ones would grow without bound.</summary>
    private const int MaxSymbolLength = 48;

    private readonly long _offset;
    private readonly bool _isSet;

    /// <summary>A known value.</summary>
    public SymbolicInteger(long value)
    {
        _offset = value;
        _isSet = true;
    }

    private SymbolicInteger(string symbol, long offset)
    {
        if (symbol.Length <= MaxSymbolLength)
        {
            Symbol = symbol;
            _offset = offset;
            _isSet = true;
        }
    }

    /// <summary>An integer of which nothing is known.</summary>
    public static SymbolicInteger Unknown => default;

    /// <summary>The symbolic part, or null.</summary>
    public string? Symbol { get; }

    /// <summary>Whether the value is known.</summary>
    public bool IsKnown => _isSet && Symbol is null;

    /// <summary>The value, or null.</summary>
    public long? Value => IsKnown ? _offset : null;

    /// <summary>A known value.</summary>
    public static implicit operator SymbolicInteger(long value) => new(value);

    /// <summary>The size of a dimension.</summary>
    public static implicit operator SymbolicInteger(Dimension dimension) =>
        dimension.Size is { } size ? new(size) : dimension.Symbol is { Length: > 0 } symbol ? Parse(symbol) : default;

    /// <summary>Sum.</summary>
    public static SymbolicInteger operator +(SymbolicInteger a, SymbolicInteger b)
    {
        if (!a._isSet || !b._isSet)
        {
            return default;
        }

        var offset = checked(a._offset + b._offset);
        return (a.Symbol, b.Symbol) switch
        {
            (null, null) => new(offset),
            ({ } symbol, null) => new(symbol, offset),
            (null, { } symbol) => new(symbol, offset),
            ({ } left, { } right) => string.CompareOrdinal(left, right) <= 0 ? new($"{left}+{right}", offset) : new($"{right}+{left}", offset),
        };
    }

    /// <summary>Difference.</summary>
    public static SymbolicInteger operator -(SymbolicInteger a, SymbolicInteger b) => (a._isSet, b._isSet) switch
    {
        (true, true) when a.Symbol == b.Symbol => new SymbolicInteger(checked(a._offset - b._offset)),
        (true, true) when b.Symbol is null => a + new SymbolicInteger(checked(-b._offset)),
        (true, true) => new SymbolicInteger($"{a}-{Atom(b)}", 0),
        _ => default,
    };

    /// <summary>Product.</summary>
    public static SymbolicInteger operator *(SymbolicInteger a, SymbolicInteger b)
    {
        if (a.Value == 0 || b.Value == 0)
        {
            return 0;
        }

        return (a._isSet, b._isSet) switch
        {
            (true, true) when a.IsKnown && b.IsKnown => checked(a._offset * b._offset),
            (true, true) when a.Value == 1 => b,
            (true, true) when b.Value == 1 => a,
            (true, true) => string.CompareOrdinal(Atom(a), Atom(b)) <= 0
                ? new SymbolicInteger($"{Atom(a)}*{Atom(b)}", 0) : new SymbolicInteger($"{Atom(b)}*{Atom(a)}", 0),
            _ => default,
        };
    }

    /// <summary>Quotient rounded down; unknown for a divisor that is not a known positive value.</summary>
    public static SymbolicInteger operator /(SymbolicInteger a, SymbolicInteger b)
    {
        if (!a._isSet || b.Value is not > 0)
        {
            return a._isSet && a == b && b.Symbol is not null ? new SymbolicInteger(1) : Unknown;
        }

        var divisor = b._offset;
        return divisor == 1 ? a
            : a.IsKnown ? new SymbolicInteger(FloorDivide(a._offset, divisor))
            : new SymbolicInteger($"{Atom(a)}/{divisor.ToString(CultureInfo.InvariantCulture)}", 0);
    }

    /// <summary>As a dimension; a negative value is unknown.</summary>
    public Dimension ToDimension() => !_isSet ? Dimension.Unknown
        : Symbol is not null ? new Dimension(ToString())
        : _offset >= 0 ? new Dimension(_offset) : Dimension.Unknown;

    /// <summary>The value, the expression, or <c>?</c>.</summary>
    public override string ToString() => !_isSet ? "?"
        : Symbol is null ? _offset.ToString(CultureInfo.InvariantCulture)
        : _offset == 0 ? Symbol
        : Symbol + _offset.ToString("+0;-0", CultureInfo.InvariantCulture);

    private static long FloorDivide(long a, long b) => a / b - (a % b < 0 ? 1 : 0);

    /// <summary>The text as an operand of a product or quotient.</summary>
    private static string Atom(SymbolicInteger a)
    {
        var text = a.ToString();
        return text.AsSpan().IndexOfAny("+-*/") < 0 ? text : $"({text})";
    }

    /// <summary>Takes a trailing offset such as <c>+1</c> off a symbol's name, the reverse of <see cref="ToString"/>.</summary>
    private static SymbolicInteger Parse(string text)
    {
        var at = text.AsSpan().LastIndexOfAny('+', '-');
        return at > 0 && text[at - 1] is not ('+' or '-' or '*' or '/' or '(')
            && long.TryParse(text.AsSpan(at), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var offset)
            ? new SymbolicInteger(text[..at], offset)
            : new SymbolicInteger(text, 0);
    }
}
