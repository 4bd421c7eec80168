namespace Build.ML.Recipes;

/// <summary>"Did you mean": the nearest of the known names.</summary>
public static class Suggestion
{
    private const int LongestName = 80;

    /// <summary>
    /// <c> Did you mean 'sparsity'?</c> where a known name is near, else <c> Known: a, b, c.</c>, to be put behind a sentence.
    /// </summary>
    public static string For(string name, IEnumerable<string> known)
    {
        string? best = null;
        var bestDistance = Math.Max(1, Math.Min(name.Length, LongestName) / 3) + 1;
        var all = known.Where(k => k.Length > 0).Distinct().Order(StringComparer.Ordinal).ToArray();
        foreach (var candidate in name.Length <= LongestName ? all : [])
        {
            if (candidate.Length <= LongestName && Distance(name, candidate) is var distance && distance < bestDistance)
            {
                (best, bestDistance) = (candidate, distance);
            }
        }

        return best is not null ? $" Did you mean '{best}'?"
            : all.Length == 0 ? " There are none."
            : $" Known: {string.Join(", ", all.Take(30))}{(all.Length > 30 ? ", …" : "")}.";
    }

    /// <summary>
    /// Optimal string alignment distance: insertions, deletions, substitutions and swaps of neighbours, without regard to case
    /// (Damerau 1964; Levenshtein 1966).
    /// </summary>
    internal static int Distance(string a, string b)
    {
        var previous = new int[b.Length + 1];
        var current = new int[b.Length + 1];
        var beforePrevious = new int[b.Length + 1];
        for (var j = 0; j <= b.Length; j++)
        {
            previous[j] = j;
        }

        for (var i = 1; i <= a.Length; i++)
        {
            current[0] = i;
            for (var j = 1; j <= b.Length; j++)
            {
                var same = Same(a[i - 1], b[j - 1]);
                var best = Math.Min(Math.Min(previous[j] + 1, current[j - 1] + 1), previous[j - 1] + (same ? 0 : 1));
                if (i > 1 && j > 1 && Same(a[i - 1], b[j - 2]) && Same(a[i - 2], b[j - 1]))
                {
                    best = Math.Min(best, beforePrevious[j - 2] + 1);
                }

                current[j] = best;
            }

            (beforePrevious, previous, current) = (previous, current, beforePrevious);
        }

        return previous[b.Length];
    }

    private static bool Same(char a, char b) => char.ToLowerInvariant(a) == char.ToLowerInvariant(b);
}
