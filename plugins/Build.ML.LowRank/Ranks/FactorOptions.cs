using System.Collections.Immutable;
using System.ComponentModel.DataAnnotations;

namespace Build.ML.LowRank.Ranks;

/// <summary>
/// How the ranks of layers are chosen, by exactly one of <c>ratio</c>, <c>energy</c>, <c>budget</c>, <c>latency</c> and what the technique adds; and which layers. A layer where nothing is gained is left
/// whatever is chosen.
/// </summary>
public abstract record FactorOptions : IValidatableObject
{
    /// <summary>Share of its parameters that each layer keeps, above 0, below 1: rank = ratio·m·n/(m + n) of a weight m×n in two parts.</summary>
    [Range(0d, 1d, MinimumIsExclusive = true, MaximumIsExclusive = true)]
    public double? Ratio { get; init; }

    /// <summary>
    /// Share of the squared singular values that each layer keeps at least, above 0, below 1; for <c>lowrank.tucker</c> of each unfolding (over inputs, over outputs). <c>lowrank.cp</c> tries numbers of
    /// terms, each a quarter more than the one before, which takes several times as long as <c>ratio</c>.
    /// </summary>
    [Range(0d, 1d, MinimumIsExclusive = true, MaximumIsExclusive = true)]
    public double? Energy { get; init; }

    /// <summary>
    /// Share of the parameters of all chosen layers together that is kept, above 0, below 1: given to the layers where a parameter saves most of the error (relative to the layer's own size); layers
    /// may stay whole. The error of <c>lowrank.tucker</c> is taken as its bound, the sum of what both unfoldings lose; that of <c>lowrank.cp</c> is tried as for <c>energy</c>.
    /// </summary>
    [Range(0d, 1d, MinimumIsExclusive = true, MaximumIsExclusive = true)]
    public double? Budget { get; init; }

    /// <summary>
    /// How many times as fast as the layer its parts must be, above 1: the largest ranks, in multiples of 8 where there are enough channels, at which that was measured on this machine, one thread. Layers
    /// where no ranks are are left. A measurement: ranks may differ from machine to machine and, near a limit, from run to run.
    /// </summary>
    [Range(1d, 100d, MinimumIsExclusive = true)]
    public double? Latency { get; init; }

    /// <summary>Globs over names of nodes, outputs and weights; only layers that fit one are factored. Default all.</summary>
    public ImmutableArray<string> Include { get; init; } = [];

    /// <summary>Globs over names of nodes, outputs and weights; layers that fit one are left as they are. Default none.</summary>
    public ImmutableArray<string> Exclude { get; init; } = [];

    /// <summary>The option that gives ranks themselves.</summary>
    private protected abstract (string Name, bool IsGiven) Fixed { get; }

    /// <inheritdoc/>
    public virtual IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        (string Name, bool IsGiven)[] all =
        [
            (nameof(Ratio), Ratio is not null), (nameof(Energy), Energy is not null), (nameof(Budget), Budget is not null), (nameof(Latency), Latency is not null), Fixed,
        ];
        var given = all.Count(o => o.IsGiven);
        if (given != 1)
        {
            yield return new(
                $"exactly one of {string.Join(", ", all[..^1].Select(o => o.Name.ToLowerInvariant()))} and {all[^1].Name.ToLowerInvariant()} decides the ranks, "
                + (given == 0 ? "none of them is given" : $"{given} of them are given"), all.Select(o => o.Name));
        }
    }
}
