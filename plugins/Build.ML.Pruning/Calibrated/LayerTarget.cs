using Build.ML.Calibration.Hessians;

namespace Build.ML.Pruning.Calibrated;

/// <summary>What a layer is to lose.</summary>
/// <param name="Layer">The layer.</param>
/// <param name="Zeros">How many of its weights; not used with a pattern.</param>
/// <param name="Groups">The groups of N:M, or null.</param>
internal sealed record LayerTarget(NumberedLayer Layer, long Zeros, ColumnGroups? Groups)
{
    /// <summary>Zeros of one of equal parts, which together have exactly as many: rows, or groups of a convolution's channels.</summary>
    /// <param name="zeros">Of all parts.</param>
    /// <param name="part">0 to <paramref name="parts"/> − 1.</param>
    /// <param name="parts">Number of parts.</param>
    public static long Share(long zeros, int part, int parts) => (long)((Int128)zeros * (part + 1) / parts - (Int128)zeros * part / parts);
}
