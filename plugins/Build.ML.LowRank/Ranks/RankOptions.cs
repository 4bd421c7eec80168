using System.Collections.Immutable;
using System.ComponentModel.DataAnnotations;
using Build.ML.Abstractions.Techniques;
using Build.ML.Calibration.Layers;
using Build.ML.Graph;

namespace Build.ML.LowRank.Ranks;

/// <summary>How the ranks of layers that become two are chosen, and which.</summary>
public abstract record RankOptions : FactorOptions
{
    /// <summary>Rank of all layers, 1 or more.</summary>
    [Range(1, int.MaxValue)]
    public int? Rank { get; init; }

    /// <summary>Vectors that a product multiplies at once when <c>latency</c> measures, where the model leaves its sizes open: batch · length. Default 64.</summary>
    [Range(1, 1 << 20)]
    public int Rows { get; init; } = 64;

    /// <summary>Ranks are multiples of this number; runtimes compute in blocks of 8 or 16. Not used with <c>rank</c>. Default 8 with <c>latency</c>, else 1.</summary>
    [Range(1, 1024)]
    public int? RankMultiple { get; init; }

    /// <summary>Operators to factor, of Conv, Gemm, MatMul. Default all of them.</summary>
    public ImmutableArray<string> OpTypes { get; init; } = [];

    private protected override (string Name, bool IsGiven) Fixed => (nameof(Rank), Rank is not null);

    private int Multiple => RankMultiple ?? (Latency is null ? 1 : 8);

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
