namespace Build.ML.Abstractions.Selection;

/// <summary>A glob over names of nodes and values: <c>*</c> stands for any characters, <c>?</c> for one; all else, case included, for itself.</summary>
/// <param name="Text">The glob.</param>
public sealed record NamePattern(string Text)
{
    /// <summary>Whether the whole of <paramref name="name"/> fits.</summary>
    public bool Matches(string name)
    {
        // Greedy with one point of return: linear in practice, never exponential.
        int p = 0, n = 0, star = -1, resume = 0;
        while (n < name.Length)
        {
            if (p < Text.Length && Text[p] == '*')
            {
                star = p++;
                resume = n;
            }
            else if (p < Text.Length && (Text[p] == '?' || Text[p] == name[n]))
            {
                p++;
                n++;
            }
            else if (star >= 0)
            {
                p = star + 1;
                n = ++resume;
            }
            else
            {
                return false;
            }
        }

        while (p < Text.Length && Text[p] == '*')
        {
            p++;
        }

        return p == Text.Length;
    }
}
