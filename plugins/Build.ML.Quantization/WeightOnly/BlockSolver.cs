using Build.ML.Quantization.Blocks;

namespace Build.ML.Quantization.WeightOnly;

/// <summary>Finds scale, zero point and codes of one block from its weights alone. Any number of threads may call it.</summary>
internal abstract class BlockSolver
{
    /// <summary>Solves a block.</summary>
    /// <param name="format">The format.</param>
    /// <param name="block">Weights, all finite.</param>
    /// <param name="codes">As many; receives the codes.</param>
    /// <returns>What codes stand for.</returns>
    public abstract (float Scale, byte ZeroPoint) Solve(BlockFormat format, ReadOnlySpan<float> block, Span<byte> codes);
}
