using System.Text.RegularExpressions;
using Build.ML.Abstractions.References;
using Build.ML.Data.Files;
using Microsoft.ML.Tokenizers;

namespace Build.ML.Data.Tokenizers;

/// <summary>
/// Byte-level byte pair encoding, as GPT-2, RoBERTa, Llama 3 and Qwen have it (Radford et al.: Language models are unsupervised multitask
/// learners, 2019).
/// </summary>
[Tokenizer("bpe")]
public sealed record BytePair : TextTokenizer
{
    /// <summary>The vocabulary: <c>tokenizer.json</c>, or <c>vocab.json</c> beside <see cref="Merges"/>.</summary>
    public required FileReference Vocabulary { get; init; }

    /// <summary><c>merges.txt</c>: pairs of tokens, a line each. Default: those of <c>tokenizer.json</c>.</summary>
    public FileReference? Merges { get; init; }

    /// <inheritdoc/>
    public override TokenEncoder Open()
    {
        var file = VocabularyFile.Read(Vocabulary.Path);
        var merges = Merges is { } reference ? MergesOf(reference.Path) : [.. file.Merges];
        if (merges.Count == 0)
        {
            throw DataErrors.DoesNotFit(file.Path, "It has no merges. Name merges.txt under 'merges', or tokenizer.json, which has both.");
        }

        try
        {
            return new Encoder(file, BpeTokenizer.Create(new BpeOptions(file.Ids)
            {
                Merges = merges,
                ByteLevel = true,
                SpecialTokens = file.Special,
                PreTokenizer = file.WordPattern is { } pattern
                    ? new RegexPreTokenizer(new Regex(pattern, RegexOptions.CultureInvariant | RegexOptions.Compiled), file.Special) : RobertaPreTokenizer.Instance,
            }));
        }
        catch (Exception e) when (e is ArgumentException or InvalidOperationException)
        {
            throw DataErrors.DoesNotFit(file.Path, $"It is no vocabulary for byte pair encoding: {e.Message} Use vocabulary and merges of the same model.");
        }
    }

    private static List<string> MergesOf(string path)
    {
        var merges = new List<string>();
        var number = 0;
        foreach (var line in System.Text.Encoding.UTF8.GetString(new FileBytes(path).ReadAll()).Split('\n'))
        {
            number++;
            var pair = line.TrimEnd('\r');
            if (pair.Length == 0 || (number == 1 && pair.StartsWith("#version", StringComparison.Ordinal)))
            {
                continue;
            }

            merges.Add(pair.IndexOf(' ') is > 0 and var blank && blank == pair.LastIndexOf(' ') && blank < pair.Length - 1
                ? pair : throw new Graph.Diagnostics.DiagnosticException(DataErrors.MalformedLine(path, number, $"'{pair}'", "two tokens with a blank between")));
        }

        return merges;
    }

    private sealed class Encoder(VocabularyFile file, BpeTokenizer tokenizer) : TokenEncoder
    {
        public override IReadOnlyList<int> Encode(string text, int limit) => First(
            text, limit, t => tokenizer.EncodeToIds(t), (t, most) => tokenizer.EncodeToIds(t, most, out _, out _));

        public override int? IdOf(string token) => file.IdOf(token);
    }
}
