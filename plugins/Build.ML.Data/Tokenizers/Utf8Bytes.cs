using System.Globalization;
using System.Text;

namespace Build.ML.Data.Tokenizers;

/// <summary>
/// The bytes of the text in UTF-8, without a vocabulary file (Xue et al.: ByT5, 2022): id = byte + <see cref="Offset"/>. Special tokens are
/// written as the number of their id.
/// </summary>
[Tokenizer("bytes")]
public sealed record Utf8Bytes : TextTokenizer
{
    /// <summary>Added to each byte, so that ids below it are free for special tokens: 3 for ByT5. Default 0.</summary>
    public int Offset { get; init; }

    /// <inheritdoc/>
    public override TokenEncoder Open() => new Encoder(Offset);

    private sealed class Encoder(int offset) : TokenEncoder
    {
        public override IReadOnlyList<int> Encode(string text, int limit) =>
            Array.ConvertAll(Encoding.UTF8.GetBytes(text), b => b + offset);

        public override int? IdOf(string token) => int.TryParse(token, NumberStyles.None, CultureInfo.InvariantCulture, out var id) ? id : null;
    }
}
