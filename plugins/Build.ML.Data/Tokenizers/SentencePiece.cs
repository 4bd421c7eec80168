using Build.ML.Abstractions.References;
using Build.ML.Data.Files;
using Microsoft.ML.Tokenizers;

namespace Build.ML.Data.Tokenizers;

/// <summary>
/// A model file of SentencePiece, unigram or byte pair encoding, with its own normalization (Kudo, Richardson: SentencePiece, 2018): Llama
/// 2, T5, XLM-R.
/// </summary>
[Tokenizer("sentencepiece")]
public sealed record SentencePiece : TextTokenizer
{
    /// <summary>The <c>.model</c> file.</summary>
    public required FileReference Model { get; init; }

    /// <inheritdoc/>
    public override TokenEncoder Open()
    {
        using var stream = new MemoryStream(new FileBytes(Model.Path).ReadAll());
        try
        {
            return new Encoder(SentencePieceTokenizer.Create(stream, false, false, specialTokens: null));
        }
        catch (Exception e) when (e is ArgumentException or InvalidOperationException or InvalidDataException or NotSupportedException or IOException)
        {
            throw DataErrors.Malformed(Model.Path, 0, $"no SentencePiece model ({e.Message})", "a .model file, unigram or byte pair encoding");
        }
    }

    private sealed class Encoder(SentencePieceTokenizer tokenizer) : TokenEncoder
    {
        public override IReadOnlyList<int> Encode(string text, int limit) => First(
            text, limit,
            t => tokenizer.EncodeToIds(t, addBeginningOfSentence: false, addEndOfSentence: false),
            (t, most) => tokenizer.EncodeToIds(t, addBeginningOfSentence: false, addEndOfSentence: false, most, out _, out _));

        public override int? IdOf(string token) => tokenizer.Vocabulary.TryGetValue(token, out var id) ? id : null;
    }
}
