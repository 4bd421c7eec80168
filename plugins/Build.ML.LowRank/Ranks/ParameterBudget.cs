using Build.ML.Calibration.Layers;
using Build.ML.Graph.Diagnostics;
using Build.ML.LowRank.Layers;

namespace Build.ML.LowRank.Ranks;

/// <summary>
/// Ranks of all layers together for a share of their parameters: the sum over layers of the share of squared singular values that is lost becomes least. By Lagrange's multiplier: each layer
/// takes the rank of least loss + λ·parameters, itself with no loss among them, with the least λ that keeps the budget; what is left over then goes step by step to where a number
/// gains most.
/// </summary>
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
        var allowed = (long)(budget * layers.Sum(l => (long)l.Layer.Rows * l.Layer.Columns));
        var least = options.Sum(o => o[0].Parameters);
        if (least > allowed)
        {
            throw new DiagnosticException(
                "BML5702",
                FormattableString.Invariant($"A budget of {budget} allows {allowed} parameters in {layers.Count} layers, ranks of {multiple} take {least} already. Raise the budget, or exclude layers."));
        }

        // λ between bounds that allow too much and enough.
        double low = 0, high = 1;
        while (Sum(options, high) > allowed)
        {
            (low, high) = (high, high * 2);
        }

        for (var i = 0; i < 200 && high - low > 1e-15 * high; i++)
        {
            var middle = (low + high) / 2;
            (low, high) = Sum(options, middle) > allowed ? (middle, high) : (low, middle);
        }

        var chosen = Array.ConvertAll(options, o => Best(o, high));
        Fill(options, chosen, allowed - Sum(options, high));
        for (var i = 0; i < chosen.Length; i++)
        {
            _ranks.Add(layers[i].Layer, options[i][chosen[i]].Rank);
        }
    }

    /// <inheritdoc/>
    public override RankChoice Choose(WeightLayer layer, Func<Spectrum> spectrum) =>
        _ranks[layer] > 0 ? RankChoice.Of(_ranks[layer])
        : LayerFactors.Limit(layer) < 1 ? IfGained(layer, 1)
        : RankChoice.Left($"the budget leaves it whole: what others lose by lower ranks weighs less");

    // Ascending in parameters, descending in loss; the layer itself last.
    private static List<Option> Options(WeightLayer layer, Spectrum spectrum, int multiple)
    {
        var options = new List<Option>();
        var kept = 0d;
        for (var rank = 1; rank <= Math.Min(LayerFactors.Limit(layer), spectrum.Values.Length); rank++)
        {
            kept += (double)spectrum.Values[rank - 1] * spectrum.Values[rank - 1];
            if (rank % multiple == 0)
            {
                options.Add(new(rank, (long)rank * (layer.Rows + layer.Columns), spectrum.SquaredNorm > 0 ? Math.Max(1 - kept / spectrum.SquaredNorm, 0) : 0));
            }
        }

        options.Add(new(0, (long)layer.Rows * layer.Columns, 0));
        return options;
    }

    private static long Sum(List<Option>[] options, double lambda) => options.Sum(o => o[Best(o, lambda)].Parameters);

    private static int Best(List<Option> options, double lambda)
    {
        var (best, least) = (0, double.PositiveInfinity);
        for (var i = 0; i < options.Count; i++)
        {
            var cost = options[i].Loss + lambda * options[i].Parameters;
            if (cost < least)
            {
                (best, least) = (i, cost);
            }
        }

        return best;
    }

    private static void Fill(List<Option>[] options, int[] chosen, long room)
    {
        while (true)
        {
            var (best, most) = (-1, 0d);
            for (var i = 0; i < chosen.Length; i++)
            {
                if (chosen[i] + 1 < options[i].Count && options[i][chosen[i] + 1] is var next && next.Parameters - options[i][chosen[i]].Parameters is var more && more <= room
                    && (options[i][chosen[i]].Loss - next.Loss) / more is var gain && gain > most)
                {
                    (best, most) = (i, gain);
                }
            }

            if (best < 0)
            {
                return;
            }

            room -= options[best][chosen[best] + 1].Parameters - options[best][chosen[best]].Parameters;
            chosen[best]++;
        }
    }

    private readonly record struct Option(int Rank, long Parameters, double Loss);
}
