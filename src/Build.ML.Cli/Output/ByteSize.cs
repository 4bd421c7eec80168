using System.Globalization;

namespace Build.ML.Cli.Output;

/// <summary>Sizes as users type them.</summary>
internal static class ByteSize
{
    private static readonly (string Suffix, long Factor)[] Units =
    [
        ("KIB", 1L << 10), ("MIB", 1L << 20), ("GIB", 1L << 30), ("TIB", 1L << 40),
        ("KB", 1000), ("MB", 1_000_000), ("GB", 1_000_000_000), ("TB", 1_000_000_000_000), ("B", 1), ("", 1),
    ];

    /// <summary>Reads <c>500MB</c>, <c>1.5 GiB</c>, <c>0</c>; K, M, G, T are decimal, Ki, Mi, Gi, Ti binary.</summary>
    public static bool TryParse(string text, out long bytes)
    {
        var (suffix, factor) = Units.First(u => text.EndsWith(u.Suffix, StringComparison.OrdinalIgnoreCase));
        var isNumber = double.TryParse(text.AsSpan(0, text.Length - suffix.Length), NumberStyles.AllowDecimalPoint | NumberStyles.AllowTrailingWhite,
            CultureInfo.InvariantCulture, out var number);
        var size = number * factor;
        bytes = isNumber && size < long.MaxValue ? (long)size : 0;
        return isNumber && size < long.MaxValue;
    }
}
