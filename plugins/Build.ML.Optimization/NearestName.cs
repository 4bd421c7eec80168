namespace Build.ML.Optimization;

/// <summary>"Did you mean": the nearest of the known names by edits (Levenshtein 1966).</summary>
static class NearestName
{
    /// <summary><c> Did you mean 'fold-constants'?</c>, or all names where none is near; to be put behind a sentence.</summary>
    public static string Of(string name, IEnumerable<string> known)
    {
        var (best, distance) = known.Select(k => (Name: k, Distance: Edits(name, k))).MinBy(k => k.Distance);
        return distance <= Math.Max(2, name.Length / 3) ? $" Did you mean '{best}'?" : $" Known: {string.Join(", ", known)}.";
    }

    private static int Edits(string a, string b)
    {
        var row = Enumerable.Range(0, b.Length + 1).ToArray();
        for (var i = 1; i <= a.Length; i++)
        {
            var diagonal = row[0];
            row[0] = i;
            for (var j = 1; j <= b.Length; j++)
            {
                var above = row[j];
                row[j] = Math.Min(Math.Min(row[j], row[j - 1]) + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1));
                diagonal = above;
            }
        }

        return row[b.Length];
    }
}
