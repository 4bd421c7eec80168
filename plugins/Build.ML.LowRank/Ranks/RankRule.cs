using System.Collections.Immutable;
using System.Globalization;
using Build.ML.Calibration.Layers;
using Build.ML.LowRank.Layers;

namespace Build.ML.LowRank.Ranks;

/// <summary>The rank of a layer's factors, or why it stays as it is.</summary>
/// <param name="Rank">0: it stays.</param>
/// <param name="Reason">Why; empty where it is factored.</param>
/// <param name="Figures">Figures for the report.</param>
internal sealed record RankChoice(int Rank, string Reason, ImmutableArray<KeyValuePair<string, double>> Figures)
{
    /// <summary>The layer is factored.</summary>
    public static RankChoice Of(int rank, params ImmutableArray<KeyValuePair<string, double>> figures) => new(rank, "", figures);

    /// <summary>The layer stays.</summary>
    public static RankChoice Left(FormattableString reason) => new(0, reason.ToString(CultureInfo.InvariantCulture), []);
}

/// <summary>Chooses the ranks of layers.</summary>
internal abstract class RankRule
{
    /// <summary>Chooses.</summary>
    /// <param name="layer">A layer.</param>
    /// <param name="spectrum">Computes its singular values, as many as <see cref="LayerFactors.Limit"/>.</param>
    public abstract RankChoice Choose(WeightLayer layer, Func<Spectrum> spectrum);

    /// <summary>A rank, if anything is gained by it.</summary>
    protected static RankChoice IfGained(WeightLayer layer, int rank) =>
        rank < 1 ? RankChoice.Left($"its rank rounds to 0")
        : rank > LayerFactors.Limit(layer) ? RankChoice.Left($"nothing is gained: {rank}·({layer.Rows} + {layer.Columns}) numbers are no fewer than {layer.Rows}·{layer.Columns}")
        : RankChoice.Of(rank);
}
