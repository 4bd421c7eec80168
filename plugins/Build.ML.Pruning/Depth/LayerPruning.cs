using System.Collections.Immutable;
using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using Build.ML.Abstractions.References;
using Build.ML.Abstractions.Selection;
using Build.ML.Abstractions.Techniques;
using Build.ML.Graph;
using Build.ML.Graph.Blocks;
using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Shapes;

namespace Build.ML.Pruning.Depth;

/// <summary>
/// Removes whole layers: residual blocks, whose input then stands for their output (Men et al. 2024, "ShortGPT", arXiv 2403.03853; Muralidharan et al. 2024, "Minitron", arXiv 2407.14679). The cache
/// inputs and outputs (keys and values of earlier tokens) of a removed layer disappear with it; those of other layers keep their names.
/// </summary>
[Technique("prune.layers")]
[Description("Removes the layers that count least: transformer layers, residual blocks, or single residual connections.")]
public sealed class LayerPruning : Technique<LayerPruning.Options>
{
    /// <summary>Options of <c>prune.layers</c>.</summary>
    public sealed record Options : IValidatableObject
    {
        /// <summary>Fraction of the layers found to remove, above 0 and below 1; their number is rounded to nearest. Default 0.25 where there is no <c>count</c>.</summary>
        [Range(0.001, 0.999)]
        public double? Sparsity { get; init; }

        /// <summary>Number of layers to remove, 1 or more. Default: by <c>sparsity</c>.</summary>
        [Range(1, 10_000)]
        public int? Count { get; init; }

        /// <summary>What is removed: <c>layer</c> (default), whole repeated blocks, or <c>connection</c>, attention and feed-forward parts one by one.</summary>
        public LayerUnit Unit { get; init; } = LayerUnit.Layer;

        /// <summary>What tells how much a layer counts: <c>block_influence</c> (default, needs data without labels) or <c>metric</c>.</summary>
        public BlockImportance Importance { get; init; } = new BlockInfluence();

        /// <summary>Calibration data. Default none, where the importance needs none.</summary>
        public DataReference? Data { get; init; }

        /// <summary>Globs over names of layers, as the report gives them, and of nodes in them; only layers that fit one are removed. Default all.</summary>
        public ImmutableArray<string> Include { get; init; } = [];

        /// <summary>Globs over names of layers and of nodes in them; layers that fit one stay. Default none.</summary>
        public ImmutableArray<string> Exclude { get; init; } = [];

        /// <inheritdoc/>
        public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
        {
            if (Sparsity is not null && Count is not null)
            {
                yield return new ValidationResult("'sparsity' and 'count' exclude each other", [nameof(Sparsity), nameof(Count)]);
            }
        }
    }

    /// <inheritdoc/>
    /// <exception cref="DiagnosticException">BML5650: there is no layer to remove. BML5651: fewer layers can be removed than asked for. BML5630: the importance needs data.</exception>
    public override StepResult Apply(Model model, Options options, StepContext context)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(context);
        ShapeInference.Run(model);
        var found = Find(model, options.Unit);
        var outcomes = found.Select(b => (Block: b, Reason: b.Obstacle ?? Unselected(b, options))).ToArray();
        ImmutableArray<ResidualBlock> candidates = [.. outcomes.Where(o => o.Reason is null).Select(o => o.Block)];
        var count = Number(options, outcomes);
        var scores = candidates.Length == 0 ? [] : options.Importance.Score(new(model, candidates, context, options.Data));
        var removed = Enumerable.Range(0, candidates.Length).OrderBy(i => scores[i]).ThenByDescending(i => i).Take(count).Select(i => candidates[i]).ToHashSet();
        ImmutableArray<LayerOutcome> layers =
        [
            .. outcomes.Select(o => new LayerOutcome(
                o.Block.Name, options.Unit == LayerUnit.Layer ? "layer" : "connection", removed.Contains(o.Block) ? "removed" : o.Reason is null ? "kept" : "left", o.Reason ?? "",
                candidates.IndexOf(o.Block) is >= 0 and var i ? [new("importance", scores[i])] : [])),
        ];
        var caches = removed.SelectMany(b => b.CacheInputs.Concat(b.CacheOutputs)).Select(v => v.Name).ToArray();

        // From the last to the first: what is removed later still reads what it was found to read.
        foreach (var block in candidates.Reverse().Where(removed.Contains))
        {
            block.Remove();
        }

        ShapeInference.Refresh(model);
        return new StepResult(model)
        {
            Layers = layers,
            Notes = caches.Length == 0 ? [] : [$"Cache inputs and outputs of removed layers are gone: {string.Join(", ", caches)}. Others keep their names."],
        };
    }

    /// <summary>The same block of a copy of the model.</summary>
    internal static ResidualBlock Twin(Model copy, ResidualBlock block) =>
        Find(copy, LayerUnit.Layer).Concat(Find(copy, LayerUnit.Connection)).First(b => b.Input.Name == block.Input.Name && b.Output.Name == block.Output.Name);

    private static ResidualBlock[] Find(Model model, LayerUnit unit) =>
    [
        .. ResidualBlocks.Find(model).SelectMany(r => r.Blocks).SelectMany(b => unit == LayerUnit.Connection && b.Parts.Length > 0 ? b.Parts : [b]),
    ];

    private static string? Unselected(ResidualBlock block, Options options)
    {
        bool Fits(ImmutableArray<string> globs) => globs.Any(g => new NamePattern(g) is var p && (p.Matches(block.Name) || block.Nodes.Any(n => p.Matches(n.Name))));
        return options.Include.Length > 0 && !Fits(options.Include) ? "not included" : Fits(options.Exclude) ? "excluded" : null;
    }

    private static int Number(Options options, (ResidualBlock Block, string? Reason)[] outcomes)
    {
        var free = outcomes.Count(o => o.Reason is null);
        if (free == 0)
        {
            throw new DiagnosticException(
                "BML5650",
                outcomes.Length == 0 ? "The model has no residual block, output = input + f(input) with both of one shape, so there is no layer to remove. Use prune.channels or prune.neurons instead."
                    : $"None of the {outcomes.Length} layers can be removed: {string.Join("; ", outcomes.Select(o => $"{o.Block.Name}: {o.Reason}").Take(20))}. Change include and exclude, or remove the step.");
        }

        var count = options.Count ?? (int)Math.Round((options.Sparsity ?? 0.25) * outcomes.Length, MidpointRounding.AwayFromZero);
        return count <= free ? count : throw new DiagnosticException(
            "BML5651",
            $"{count} of {outcomes.Length} layers are to be removed, but only {free} can be"
            + $"{string.Concat(outcomes.Where(o => o.Reason is not null).Take(20).Select(o => $"; {o.Block.Name}: {o.Reason}"))}. Ask for fewer.");
    }
}
