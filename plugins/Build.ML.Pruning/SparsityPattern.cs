using System.Globalization;

namespace Build.ML.Pruning;

/// <summary>N:M as options write it.</summary>
internal static class SparsityPattern
{
    /// <summary>N and M, or null where there is no pattern.</summary>
    public static (int Keep, int Of)? Parse(string? pattern) => pattern?.Split(':') is [var n, var m]
        ? (int.Parse(n, CultureInfo.InvariantCulture), int.Parse(m, CultureInfo.InvariantCulture))
        : null;

    /// <summary>What is wrong with a pattern of two numbers, or null.</summary>
    public static string? Mistake(string? pattern) =>
        pattern is { Length: > 2 } && Parse(pattern) is var (keep, of) && (keep < 1 || keep >= of || of > 64) ? $"N:M needs 1 ≤ N < M ≤ 64, got {pattern}." : null;
}
