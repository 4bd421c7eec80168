using System.Collections.Immutable;
using System.ComponentModel.DataAnnotations;
using Build.ML.Abstractions.Techniques;
using Build.ML.Calibration.Layers;
using Build.ML.Graph;

namespace Build.ML.LowRank.Ranks;

/// <summary>How the ranks of layers are chosen, by exactly one of <c>ratio</c>, <c>rank</c>, <c>energy</c>, <c>budget</c> and <c>latency</c>; and which layers.</summary>
public abstract record RankOptions : IValidatableObject
{
    /// <summary>Share of its parameters that each layer keeps, above 0, below 1: rank = ratio·m·n/(m + n) of a weight m×n.</summary>
    [Range(0d, 1d, MinimumIsExclusive = true, MaximumIsExclusive = true)]
    public double? Ratio { get; init; }

    /// <summary>Rank of all layers, 1 or more.</summary>
    [Range(1, int.MaxValue)]
    public int? Rank { get; init; }

    /// <summary>Share of the squared singular values that each layer keeps at least, above 0, below 1.</summary>
    [Range(0d, 1d, MinimumIsExclusive = true, MaximumIsExclusive = true)]
    public double? Energy { get; init; }

    /// <summary>
    /// Share of the parameters of all chosen layers together that is kept, above 0, below 1: given to the layers where a parameter saves most of the error (relative to the
    /// layer's own size); layers may stay whole.
    /// </summary>
    [Range(0d, 1d, MinimumIsExclusive = true, MaximumIsExclusive = true)]
    public double? Budget { get; init; }

    /// <summary>
    /// How many times as fast as the layer the pair must be, above 1: the largest rank at which that was measured on this machine, one thread. Layers where no rank is are left. A
    /// measurement: ranks may differ from machine to machine and, near a limit, from run to run.
    /// </summary>
    [Range(1d, 100d, MinimumIsExclusive = true)]
    public double? Latency { get; init; }

    /// <summary>Vectors that a product multiplies at once when <c>latency</c> measures, where the model leaves its sizes open: batch · length. Default 64.</summary>
    [Range(1, 1 << 20)]
    public int Rows { get; init; } = 64;

    /// <summary>Ranks are multiples of this number; runtimes compute in blocks of 8 or 16. Not used with <c>rank</c>. Default 8 with <c>latency</c>, else 1.</summary>
    [Range(1, 1024)]
    public int? RankMultiple { get; init; }

    /// <summary>Operators to factor, of Conv, Gemm, MatMul. Default all of them.</summary>
    public ImmutableArray<string> OpTypes { get; init; } = [];

    /// <summary>Globs over names of nodes, outputs and weights; only layers that fit one are factored. Default all.</summary>
    public ImmutableArray<string> Include { get; init; } = [];

    /// <summary>Globs over names of nodes, outputs and weights; layers that fit one are left as they are. Default none.</summary>
    public ImmutableArray<string> Exclude { get; init; } = [];

    private int Multiple => RankMultiple ?? (Latency is null ? 1 : 8);

    /// <inheritdoc/>
    public virtual IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        string[] given =
        [
            .. new (string Name, bool IsGiven)[]
            {
                (nameof(Ratio), Ratio is not null), (nameof(Rank), Rank is not null), (nameof(Energy), Energy is not null), (nameof(Budget), Budget is not null),
                (nameof(Latency), Latency is not null),
            }.Where(o => o.IsGiven).Select(o => o.Name),
        ];
        if (given.Length != 1)
        {
            yield return new($"exactly one of ratio, rank, energy, budget and latency decides the ranks, {(given.Length == 0 ? "none" : given.Length)} of them is given", given);
        }
    }

    /// <summary>The rule.</summary>
    /// <param name="model">The model.</param>
    /// <param name="spectra">Computes the singular values of all layers, for a budget.</param>
    /// <param name="context">The runtime.</param>
    internal RankRule Rule(Model model, Func<IReadOnlyList<(WeightLayer Layer, Spectrum Spectrum)>> spectra, StepContext context) =>
        Ratio is { } ratio ? new ParameterRatio(ratio, Multiple)
        : Rank is { } rank ? new FixedRank(rank)
        : Energy is { } energy ? new EnergyShare(energy, Multiple)
        : Budget is { } budget ? new ParameterBudget(spectra(), budget, Multiple)
        : new MeasuredSpeed(Latency!.Value, Multiple, new LayerTiming(model, Rows, context));
}
