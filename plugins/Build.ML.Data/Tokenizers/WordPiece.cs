using System.Globalization;
using System.Text;
using Build.ML.Abstractions.References;
using Build.ML.Data.Files;
using Build.ML.Data.Unicode;
using Microsoft.ML.Tokenizers;

namespace Build.ML.Data.Tokenizers;

/// <summary>
/// BERT's tokenizer: words and punctuation, each split into the longest pieces of the vocabulary from the left (Devlin et al.: BERT, 2019).
/// </summary>
[Tokenizer("wordpiece")]
public sealed record WordPiece : TextTokenizer
{
    /// <summary>The vocabulary: <c>vocab.txt</c> with a token a line, or <c>tokenizer.json</c>.</summary>
    public required FileReference Vocabulary { get; init; }

    /// <summary>Whether texts become lower case and lose their accents, as uncased models want it. Default true.</summary>
    public bool LowerCase { get; init; } = true;

    /// <summary>Token of a word that the vocabulary cannot spell. Default <c>[UNK]</c>.</summary>
    public string Unknown { get; init; } = "[UNK]";

    /// <summary>Token put before each text; empty for none. Default <c>[CLS]</c>.</summary>
    public override string Begin { get; init; } = "[CLS]";

    /// <summary>Token put after each text; empty for none. Default <c>[SEP]</c>.</summary>
    public override string End { get; init; } = "[SEP]";

    /// <summary>Token that fills shorter texts up; empty for id 0. Default <c>[PAD]</c>.</summary>
    public override string Pad { get; init; } = "[PAD]";

    /// <inheritdoc/>
    public override TokenEncoder Open()
    {
        var file = VocabularyFile.Read(Vocabulary.Path);
        if (file.IdOf(Unknown) is null)
        {
            throw file.Lacks($"'{Unknown}' ('unknown')");
        }

        // The library wants a line for each id, and tokens for uses that are not made of it here.
        var lines = new string[file.Ids.Values.Max() + 1];
        foreach (var (token, id) in file.Ids)
        {
            lines[id] = token;
        }

        var text = new StringBuilder();
        for (var id = 0; id < lines.Length; id++)
        {
            text.Append(CultureInfo.InvariantCulture, $"{lines[id] ?? $"[no token {id}]"}\n");
        }

        using var stream = new MemoryStream(Encoding.UTF8.GetBytes(text.ToString()));
        try
        {
            return new Encoder(file, LowerCase, BertTokenizer.Create(stream, new BertOptions
            {
                LowerCaseBeforeTokenization = LowerCase,
                RemoveNonSpacingMarks = false, // done before: the library leaves it to globalization, which is invariant here
                UnknownToken = Unknown,
                ClassificationToken = Unknown,
                SeparatorToken = Unknown,
                PaddingToken = Unknown,
                MaskingToken = Unknown,
            }));
        }
        catch (ArgumentException e)
        {
            throw DataErrors.DoesNotFit(file.Path, $"It is no vocabulary for WordPiece: {e.Message} Name BERT's vocab.txt or tokenizer.json.");
        }
    }

    private sealed class Encoder(VocabularyFile file, bool stripMarks, BertTokenizer tokenizer) : TokenEncoder
    {
        public override IReadOnlyList<int> Encode(string text, int limit) => First(
            stripMarks ? UnicodeForms.WithoutMarks(text) : text, limit,
            t => tokenizer.EncodeToIds(t, addSpecialTokens: false), (t, most) => tokenizer.EncodeToIds(t, most, addSpecialTokens: false, out _, out _));

        public override int? IdOf(string token) => file.IdOf(token);
    }
}
