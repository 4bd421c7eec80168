using System.Text;

namespace Build.ML.Metrics.Text;

/// <summary>Levenshtein's edit distance.</summary>
internal static class EditDistance
{
    /// <summary>Fewest insertions, deletions and substitutions of Unicode scalar values that turn one text into the other.</summary>
    /// <param name="a">Expected text.</param>
    /// <param name="b">Actual text.</param>
    /// <returns>The distance, and the number of scalar values of <paramref name="a"/>.</returns>
    public static (int Distance, int Length) Of(string a, string b)
    {
        Rune[] from = [.. a.EnumerateRunes()];
        Rune[] to = [.. b.EnumerateRunes()];

        // Row i of the table D(i, j) = min(D(i−1, j) + 1, D(i, j−1) + 1, D(i−1, j−1) + [a_i ≠ b_j]); only one row is kept.
        var row = new int[to.Length + 1];
        for (var j = 0; j <= to.Length; j++)
        {
            row[j] = j;
        }

        for (var i = 1; i <= from.Length; i++)
        {
            var diagonal = row[0];
            row[0] = i;
            for (var j = 1; j <= to.Length; j++)
            {
                var above = row[j];
                row[j] = Math.Min(Math.Min(above, row[j - 1]) + 1, diagonal + (from[i - 1] == to[j - 1] ? 0 : 1));
                diagonal = above;
            }
        }

        return (row[^1], from.Length);
    }
}
