using System.Collections.Immutable;
using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using Build.ML.Abstractions.Techniques;
using Build.ML.Graph;
using Build.ML.Graph.Tensors;
using Build.ML.Pruning.Budgets;

namespace Build.ML.Pruning;

/// <summary>
/// Sets the weights of least magnitude to 0 (Han et al. 2015, "Learning both Weights and Connections for Efficient Neural Networks"), exactly as many as asked for. Biases stay.
/// Weights are read and written tensor by tensor.
/// </summary>
[Technique("prune.magnitude")]
[Description("Sets the weights of least magnitude to zero: by layer, over all layers, or N of every M.")]
public sealed class MagnitudePruning : Technique<MagnitudePruning.Options>
{
    /// <summary>Options of <c>prune.magnitude</c>.</summary>
    public sealed record Options : IValidatableObject
    {
        /// <summary>Fraction of weights set to 0, 0 to 1; the number of weights is rounded to nearest. Default 0.5. Not used with <c>pattern</c>.</summary>
        [Range(0d, 1d)]
        public double Sparsity { get; init; } = 0.5;

        /// <summary>Among which weights the smallest are looked for: <c>layer</c> (default) or <c>global</c>. Not used with <c>pattern</c>.</summary>
        public PruningScope Scope { get; init; } = PruningScope.Layer;

        /// <summary>
        /// <c>N:M</c>, such as <c>2:4</c>: of every M weights along the axis that products are summed over, the N greatest stay. M is at most 64. Default none.
        /// </summary>
        [RegularExpression("^[0-9]{1,2}:[0-9]{1,2}$", ErrorMessage = "expected N:M, such as 2:4")]
        public string? Pattern { get; init; }

        /// <summary>
        /// How many zeros each layer gets: <c>uniform</c> (default, the same fraction), <c>erk</c>, <c>sensitivity</c>, <c>ecoflap</c>. Not with <c>pattern</c>, nor with <c>scope: global</c>.
        /// </summary>
        public SparsityBudget? Budget { get; init; }

        /// <summary>Operators to prune, of Conv, ConvTranspose, Gemm, MatMul. Default all of them.</summary>
        public ImmutableArray<string> OpTypes { get; init; } = [];

        /// <summary>Globs over names of nodes, outputs and weights; only layers that fit one are pruned. Default all.</summary>
        public ImmutableArray<string> Include { get; init; } = [];

        /// <summary>Globs over names of nodes, outputs and weights; layers that fit one are left as they are. Default none.</summary>
        public ImmutableArray<string> Exclude { get; init; } = [];

        /// <summary>N and M of the pattern, or null.</summary>
        internal (int Keep, int Of)? Block => SparsityPattern.Parse(Pattern);

        /// <inheritdoc/>
        public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
        {
            if (SparsityPattern.Mistake(Pattern) is { } mistake)
            {
                yield return new ValidationResult(mistake, [nameof(Pattern)]);
            }

            if (Budget is not null && (Pattern is not null || Scope == PruningScope.Global))
            {
                yield return new ValidationResult(
                    $"{(Pattern is not null ? "'pattern' prunes all layers alike" : "'scope: global' shares out by magnitude")}: remove it, or 'budget'.", [nameof(Budget)]);
            }
        }
    }

    /// <inheritdoc/>
    public override StepResult Apply(Model model, Options options, StepContext context)
    {
        var (layers, outcomes) = PrunableLayers.Find(model, options.OpTypes, options.Include, options.Exclude);
        Prune(model, layers, options, context, outcomes);
        return new StepResult(model)
        {
            Layers = outcomes.ToImmutable(),
            Notes = [PrunableLayers.WhatZerosDo],
        };
    }

    /// <summary>Prunes one weight.</summary>
    /// <param name="weight">Replaced.</param>
    /// <param name="pattern">N and M, or null.</param>
    /// <param name="zeros">How many weights go where there is no pattern.</param>
    /// <param name="cancellation">Stops.</param>
    /// <returns>Figures for the report.</returns>
    internal static ImmutableArray<KeyValuePair<string, double>> Prune(PrunableWeight weight, (int Keep, int Of)? pattern, long zeros, CancellationToken cancellation)
    {
        if (pattern is var (keep, of))
        {
            return Prune(weight, BlockMaskOf(weight.Tensor, weight.ReductionAxis, keep, of), null);
        }

        var threshold = MagnitudeThreshold.Find([weight.Tensor], zeros, cancellation);
        return Prune(weight, new ThresholdMask(threshold.Bits, threshold.Ties[0]), threshold.Magnitude);
    }

    private static void Prune(Model model, List<PrunableLayer> layers, Options options, StepContext context, ImmutableArray<LayerOutcome>.Builder outcomes)
    {
        var global = options.Block is null && options.Scope == PruningScope.Global
            ? MagnitudeThreshold.Find(
                [.. layers.Select(l => l.Weight.Tensor)], (long)Math.Round(layers.Sum(l => l.Weight.Tensor.Count) * options.Sparsity), context.Cancellation)
            : null;
        var zeros = BudgetContext.Allocate(options.Budget, model, layers, options.Sparsity, null, 0, context);
        for (var i = 0; i < layers.Count; i++)
        {
            context.Cancellation.ThrowIfCancellationRequested();
            context.Progress.Report(new((double)i / layers.Count, "pruning"));
            var (node, weight) = layers[i];
            var figures = global is null
                ? Prune(weight, options.Block, zeros[i], context.Cancellation)
                : Prune(weight, new ThresholdMask(global.Bits, global.Ties[i]), global.Magnitude);
            outcomes.Add(new(PrunableLayers.NameOf(node), node.OpType, "pruned", "", figures));
        }
    }

    private static ImmutableArray<KeyValuePair<string, double>> Prune(PrunableWeight weight, PruningMask mask, float? threshold)
    {
        var tensor = weight.Tensor;
        var content = new PrunedContent(tensor, mask);
        var sparsity = new KeyValuePair<string, double>("sparsity", tensor.Count == 0 ? 0 : (double)content.CountZeros() / tensor.Count);
        weight.Replace(new Tensor(tensor.Type, tensor.Sizes.AsSpan(), content));
        return threshold is { } magnitude ? [sparsity, new("threshold", magnitude)] : [sparsity];
    }

    private static BlockMask BlockMaskOf(Tensor tensor, int axis, int keep, int of)
    {
        long inner = 1;
        for (var i = axis + 1; i < tensor.Rank; i++)
        {
            inner *= tensor.Sizes[i];
        }

        return new BlockMask(keep, of, (int)tensor.Sizes[axis], (int)inner);
    }
}
