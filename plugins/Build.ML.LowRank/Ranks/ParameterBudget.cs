using Build.ML.Calibration.Layers;
using Build.ML.Graph.Diagnostics;
using Build.ML.LowRank.Layers;

namespace Build.ML.LowRank.Ranks;

/// <summary>Ranks of all layers together for a share of their parameters, by <see cref="BudgetAllocation"/>.</summary>
internal sealed class ParameterBudget : RankRule
{
    private readonly Dictionary<WeightLayer, int> _ranks = []; // 0: stays

    /// <summary>Allocates.</summary>
    /// <param name="layers">All layers with their singular values.</param>
    /// <param name="budget">Share of the layers' parameters to keep.</param>
    /// <param name="multiple">Ranks are multiples of it.</param>
    /// <exception cref="DiagnosticException">BML5702: the lowest ranks take more.</exception>
    public ParameterBudget(IReadOnlyList<(WeightLayer Layer, Spectrum Spectrum)> layers, double budget, int multiple)
    {
        var options = layers.Select(l => Options(l.Layer, l.Spectrum, multiple)).ToArray();
        var chosen = BudgetAllocation.Of(options, budget);
        for (var i = 0; i < chosen.Length; i++)
        {
            _ranks.Add(layers[i].Layer, chosen[i] < options[i].Count - 1 ? (chosen[i] + 1) * multiple : 0);
        }
    }

    /// <inheritdoc/>
    public override RankChoice Choose(WeightLayer layer, Func<Spectrum> spectrum) =>
        _ranks[layer] > 0 ? RankChoice.Of(_ranks[layer])
        : LayerFactors.Limit(layer) < 1 ? IfGained(layer, 1)
        : RankChoice.Left($"the budget leaves it whole: what others lose by lower ranks weighs less");

    // Ascending in parameters, descending in loss; the layer itself last.
    private static List<RankOption> Options(WeightLayer layer, Spectrum spectrum, int multiple)
    {
        var options = new List<RankOption>();
        var kept = 0d;
        for (var rank = 1; rank <= Math.Min(LayerFactors.Limit(layer), spectrum.Values.Length); rank++)
        {
            kept += (double)spectrum.Values[rank - 1] * spectrum.Values[rank - 1];
            if (rank % multiple == 0)
            {
                options.Add(new((long)rank * (layer.Rows + layer.Columns), spectrum.SquaredNorm > 0 ? Math.Max(1 - kept / spectrum.SquaredNorm, 0) : 0));
            }
        }

        options.Add(new((long)layer.Rows * layer.Columns, 0));
        return options;
    }
}
