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
    public abstract IReadOnlyList<int> Encode(string text);

    /// <summary>The id of a token as the vocabulary spells it, or null where it has none.</summary>
    public abstract int? IdOf(string token);
}
