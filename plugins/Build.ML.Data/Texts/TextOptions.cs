using System.ComponentModel.DataAnnotations;
using Build.ML.Data.Tokenizers;

namespace Build.ML.Data.Texts;

/// <summary>
/// How texts become ids. Each text is a sample of <see cref="Length"/> ids, cut or filled up; or, with <see cref="Pack"/>, all texts are
/// one stream cut into samples, for causal language models.
/// </summary>
public abstract record TextOptions
{
    /// <summary>What splits texts into tokens.</summary>
    public required TextTokenizer Tokenizer { get; init; }

    /// <summary>Ids of a sample, with those of begin and end: longer texts are cut. Default 128.</summary>
    [Range(2, 1 << 20)]
    public int Length { get; init; } = 128;

    /// <summary>
    /// Whether shorter texts are filled up to <see cref="Length"/>; else samples have different lengths, which training needs
    /// <c>buckets</c> for. Default true.
    /// </summary>
    public bool Padding { get; init; } = true;

    /// <summary>
    /// Whether texts are put one after the other, with the tokenizer's begin and end tokens between, and cut into samples of
    /// <see cref="Length"/> ids whose label is the same moved by one: the
    /// next ids. What is left at the end is not used. All ids are kept in memory, 4 bytes each. Default false.
    /// </summary>
    public bool Pack { get; init; }

    /// <summary>Name of the input the ids feed; default: the model's first.</summary>
    public string Input { get; init; } = "";

    /// <summary>Name of the input that the attention mask feeds: 1 for ids of the text, 0 for filling. Default none.</summary>
    public string Mask { get; init; } = "";

    /// <summary>Name of the input that token type ids feed: all 0. Default none.</summary>
    public string TypeIds { get; init; } = "";
}
