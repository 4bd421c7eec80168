using System.Collections.Immutable;
using Build.ML.Abstractions.References;
using Build.ML.Abstractions.Techniques;
using Build.ML.Graph;
using Build.ML.Graph.Blocks;
using Build.ML.Graph.Catalogs;

namespace Build.ML.Pruning.Depth;

/// <summary>What tells how much a residual block counts, for <c>prune.layers</c>. A component: one record with <see cref="BlockImportanceAttribute"/> adds one.</summary>
public abstract record BlockImportance
{
    /// <summary>Scores blocks.</summary>
    /// <param name="context">Model, blocks, data.</param>
    /// <returns>One score a block; larger means to keep.</returns>
    public abstract ImmutableArray<double> Score(BlockImportanceContext context);
}

/// <summary>What an importance of blocks may use.</summary>
/// <param name="Model">The model; not to be changed.</param>
/// <param name="Blocks">The blocks to score, of that model.</param>
/// <param name="Step">Data, inference, threads, progress.</param>
/// <param name="Data">Calibration data, where the step names some.</param>
public sealed record BlockImportanceContext(Model Model, ImmutableArray<ResidualBlock> Blocks, StepContext Step, DataReference? Data);

/// <summary>Names an importance of blocks as recipes do in <c>importance:</c> of <c>prune.layers</c>.</summary>
/// <param name="name">Lower case, snake_case.</param>
public sealed class BlockImportanceAttribute(string name) : CatalogAttribute(name)
{
    /// <inheritdoc/>
    public override Type EntryType => typeof(BlockImportance);
}
