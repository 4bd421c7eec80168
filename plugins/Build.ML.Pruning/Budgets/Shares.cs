namespace Build.ML.Pruning.Budgets;

/// <summary>Shares of a sum.</summary>
internal static class Shares
{
    /// <summary>Shares proportional to weights; what would exceed a limit gets the limit, and the others share the rest.</summary>
    /// <param name="weights">0 or more each.</param>
    /// <param name="limits">What each may be at most.</param>
    /// <param name="sum">At most the sum of the limits.</param>
    public static double[] Proportional(ReadOnlySpan<double> weights, ReadOnlySpan<double> limits, double sum)
    {
        var shares = new double[weights.Length];
        var full = new bool[weights.Length];
        while (true)
        {
            double left = sum, open = 0;
            for (var i = 0; i < shares.Length; i++)
            {
                left -= full[i] ? limits[i] : 0;
                open += full[i] ? 0 : weights[i];
            }

            var changed = false;
            for (var i = 0; i < shares.Length; i++)
            {
                shares[i] = full[i] ? limits[i] : open > 0 ? left * (weights[i] / open) : 0;
                if (!full[i] && shares[i] > limits[i])
                {
                    (full[i], changed) = (true, true);
                }
            }

            if (!changed)
            {
                return shares;
            }
        }
    }
}
