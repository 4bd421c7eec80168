using System.Collections.Immutable;

namespace Build.ML.Graph.Blocks;

/// <summary>Blocks one after the other on a residual stream that are alike but for their weights; a single one where none is like it.</summary>
/// <param name="Blocks">In order, at least one; each one's output is the next one's input.</param>
public sealed record BlockRun(ImmutableArray<ResidualBlock> Blocks);
