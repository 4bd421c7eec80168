using Build.ML.Graph.Diagnostics;

namespace Build.ML.LowRank.Ranks;

/// <summary>A way to factor a layer.</summary>
/// <param name="Parameters">Numbers in the parts.</param>
/// <param name="Loss">Share of the squares that is lost, 0 to 1.</param>
internal readonly record struct RankOption(long Parameters, double Loss);

/// <summary>
/// Ways of all layers together for a share of their parameters: the sum over layers of the share of squares that is lost becomes least. By Lagrange's multiplier: each layer takes the way of
/// least loss + λ·parameters, itself with no loss among them, with the least λ that keeps the budget; what is left over then goes step by step to where a number gains most.
/// </summary>
internal static class BudgetAllocation
{
    /// <summary>Allocates.</summary>
    /// <param name="layers">Of each layer its ways, ascending in parameters, descending in loss; the layer itself last.</param>
    /// <param name="budget">Share of the layers' parameters to keep.</param>
    /// <returns>Of each layer the number of its way.</returns>
    /// <exception cref="DiagnosticException">BML5702: the lowest ranks take more.</exception>
    public static int[] Of(IReadOnlyList<RankOption>[] layers, double budget)
    {
        var allowed = (long)(budget * layers.Sum(l => l[^1].Parameters));
        var least = layers.Sum(l => l[0].Parameters);
        if (least > allowed)
        {
            throw new DiagnosticException(
                "BML5702",
                FormattableString.Invariant($"A budget of {budget} allows {allowed} parameters in {layers.Length} layers, the lowest ranks take {least} already. Raise the budget, or exclude layers."));
        }

        // λ between bounds that allow too much and enough.
        double low = 0, high = 1;
        while (Sum(layers, high) > allowed)
        {
            (low, high) = (high, high * 2);
        }

        for (var i = 0; i < 200 && high - low > 1e-15 * high; i++)
        {
            var middle = (low + high) / 2;
            (low, high) = Sum(layers, middle) > allowed ? (middle, high) : (low, middle);
        }

        var chosen = Array.ConvertAll(layers, l => Best(l, high));
        Fill(layers, chosen, allowed - Sum(layers, high));
        return chosen;
    }

    private static long Sum(IReadOnlyList<RankOption>[] layers, double lambda) => layers.Sum(l => l[Best(l, lambda)].Parameters);

    private static int Best(IReadOnlyList<RankOption> options, double lambda)
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

    private static void Fill(IReadOnlyList<RankOption>[] options, int[] chosen, long room)
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
}
