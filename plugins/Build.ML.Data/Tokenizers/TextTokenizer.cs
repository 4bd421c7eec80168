namespace Build.ML.Data.Tokenizers;

/// <summary>Splits texts into tokens, each with an id. The record is its own options.</summary>
public abstract record TextTokenizer
{
    /// <summary>Token put before each text, such as <c>[CLS]</c>; empty for none. Default: as models of the kind have it.</summary>
    public virtual string Begin { get; init; } = "";

    /// <summary>
    /// Token put after each text, such as <c>[SEP]</c> or <c>&lt;|endoftext|&gt;</c>; empty for none. Default: as models of the kind have
    /// it.
    /// </summary>
    public virtual string End { get; init; } = "";

    /// <summary>Token that fills shorter texts up; empty for id 0. Default: as models of the kind have it.</summary>
    public virtual string Pad { get; init; } = "";

    /// <summary>Reads the vocabulary.</summary>
    /// <exception cref="Graph.Diagnostics.DiagnosticException">BML5201, BML5202, BML5204: a file is missing, malformed or not a vocabulary
    /// of the kind.</exception>
    public abstract TokenEncoder Open();
}

/// <summary>An opened vocabulary; for any number of threads.</summary>
public abstract class TokenEncoder
{
    /// <summary>Ids of a text, without those that stand for its begin and end.</summary>
    /// <param name="text">The text.</param>
    /// <param name="limit">Only the first ids are needed; more may be given. Default: all.</param>
    public abstract IReadOnlyList<int> Encode(string text, int limit = int.MaxValue);

    /// <summary>
    /// Ids of a text by a tokenizer that can stop early, but then leaves out a word of which only a part is within the limit: asked for
    /// some more, and for all where that was too few.
    /// </summary>
    private protected static IReadOnlyList<int> First(string text, int limit, Func<string, IReadOnlyList<int>> all, Func<string, int, IReadOnlyList<int>> atMost)
    {
        if (text.Length / 16 <= limit)
        {
            return all(text); // little to save
        }

        var ids = atMost(text, limit + 64);
        return ids.Count >= limit ? ids : all(text);
    }

    /// <summary>The id of a token as the vocabulary spells it, or null where it has none.</summary>
    public abstract int? IdOf(string token);
}
