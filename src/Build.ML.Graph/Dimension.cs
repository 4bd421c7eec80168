using System.Globalization;

namespace Build.ML.Graph;

/// <summary>One dimension of a shape: a known size, a named symbol (<c>batch</c>), or unknown (<c>default</c>).</summary>
public readonly record struct Dimension
{
    private readonly long _sizePlusOne;

    /// <summary>A dimension of known size.</summary>
    /// <param name="size">Zero or more.</param>
    public Dimension(long size)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(size);
        _sizePlusOne = size + 1;
    }

    /// <summary>A dimension whose size is only known by name; equal names mean equal sizes.</summary>
    public Dimension(string symbol) => Symbol = symbol;

    /// <summary>A dimension about which nothing is known.</summary>
    public static Dimension Unknown => default;

    /// <summary>The name of a symbolic dimension, else null.</summary>
    public string? Symbol { get; }

    /// <summary>Whether the size is known.</summary>
    public bool IsKnown => _sizePlusOne > 0;

    /// <summary>The size, or null.</summary>
    public long? Size => IsKnown ? _sizePlusOne - 1 : null;

    /// <summary>A known size.</summary>
    public static implicit operator Dimension(long size) => new(size);

    /// <summary>A known size.</summary>
    public static Dimension FromInt64(long size) => new(size);

    /// <summary>The size, the symbol, or <c>?</c>.</summary>
    public override string ToString() => IsKnown ? (_sizePlusOne - 1).ToString(CultureInfo.InvariantCulture) : Symbol ?? "?";
}
