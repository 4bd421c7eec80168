using System.Collections.Immutable;
using System.Text;
using System.Text.Json;
using Build.ML.Data.Files;
using Build.ML.Graph.Diagnostics;

namespace Build.ML.Data.Tokenizers;

/// <summary>
/// A vocabulary in one of the forms it is published in, by its content: <c>tokenizer.json</c> of the Hugging Face tokenizers library; a
/// JSON object of tokens and ids (GPT-2's
/// <c>vocab.json</c>); a JSON array of tokens, or of pairs of token and score (SentencePiece for TensorFlow.js); or text with a token a
/// line (BERT's <c>vocab.txt</c>). Ids of the latter two
/// count from 0.
/// </summary>
internal sealed class VocabularyFile
{
    /// <summary>The file, for messages.</summary>
    public required string Path { get; init; }

    /// <summary>Tokens and ids.</summary>
    public required IReadOnlyDictionary<string, int> Ids { get; init; }

    /// <summary>Log probability of each id; empty where the file has none, 0 where an entry has none.</summary>
    public ImmutableArray<double> Scores { get; init; } = [];

    /// <summary>Pairs of tokens that are merged, best first, with a blank between; empty where the file has none.</summary>
    public ImmutableArray<string> Merges { get; init; } = [];

    /// <summary>Tokens that are recognized in texts as wholes.</summary>
    public ImmutableSortedDictionary<string, int> Special { get; init; } = ImmutableSortedDictionary<string, int>.Empty;

    /// <summary>Regular expression that words are found by, where the file has one.</summary>
    public string? WordPattern { get; init; }

    /// <summary>Id of what is in no token, where the file says so.</summary>
    public int? UnknownId { get; init; }

    /// <summary>Reads a vocabulary.</summary>
    /// <exception cref="DiagnosticException">BML5201, BML5202.</exception>
    public static VocabularyFile Read(string path)
    {
        var bytes = new FileBytes(path).ReadAll();
        var text = bytes.AsSpan(bytes.AsSpan().StartsWith(Encoding.UTF8.Preamble) ? 3 : 0);
        var start = text.TrimStart(" \r\n\t"u8);
        if (start.Length == 0 || (start[0] != '{' && !IsArray(start)))
        {
            return OfLines(path, Encoding.UTF8.GetString(text));
        }

        try
        {
            using var document = JsonDocument.Parse(bytes.AsMemory(bytes.Length - text.Length));
            var root = document.RootElement;
            return root.ValueKind == JsonValueKind.Array ? OfArray(path, root)
                : root.TryGetProperty("model", out var model) && model.ValueKind == JsonValueKind.Object ? OfTokenizer(path, root, model)
                : new() { Path = path, Ids = OfObject(root) };
        }
        catch (JsonException e)
        {
            throw new DiagnosticException(DataErrors.MalformedLine(path, (int)(e.LineNumber ?? 0) + 1, "broken JSON", "a vocabulary", (int)(e.BytePositionInLine ?? 0) + 1));
        }
        catch (Exception e) when (e is InvalidOperationException or FormatException or KeyNotFoundException or ArgumentException)
        {
            // An element is of another kind than the form asks for, or a token occurs twice.
            throw DataErrors.Malformed(path, 0, $"JSON of another form ({e.Message})", "tokenizer.json, an object of tokens and ids, or an array of tokens with or without scores");
        }
    }

    /// <summary>The id of a token.</summary>
    public int? IdOf(string token) => Special.TryGetValue(token, out var id) || Ids.TryGetValue(token, out id) ? id : null;

    /// <summary>BML5204.</summary>
    public DiagnosticException Lacks(string what) => DataErrors.DoesNotFit(Path, $"The vocabulary of {Ids.Count} tokens has no {what}. Name the file the model was trained with, or another tokenizer.");

    // '[' also begins BERT's first line, [PAD].
    private static bool IsArray(ReadOnlySpan<byte> text)
    {
        var inner = text[0] == '[' ? text[1..].TrimStart(" \r\n\t"u8) : default;
        return inner.Length > 0 && inner[0] is (byte)'[' or (byte)'"';
    }

    private static VocabularyFile OfLines(string path, string text)
    {
        var ids = new Dictionary<string, int>(StringComparer.Ordinal);
        var errors = new List<Diagnostic>();
        var lines = text.ReplaceLineEndings("\n").Split('\n');
        var count = lines[^1].Length == 0 ? lines.Length - 1 : lines.Length;
        for (var i = 0; i < count; i++)
        {
            if (!ids.TryAdd(lines[i], i))
            {
                errors.Add(DataErrors.MalformedLine(path, i + 1, $"'{lines[i]}', which is in line {ids[lines[i]] + 1} too", "each token once"));
            }
        }

        return errors.Count > 0 ? throw new DiagnosticException(errors)
            : count > 0 ? new() { Path = path, Ids = ids }
            : throw DataErrors.Malformed(path, 0, "an empty file", "a vocabulary");
    }

    private static VocabularyFile OfArray(string path, JsonElement array)
    {
        var ids = new Dictionary<string, int>(StringComparer.Ordinal);
        var scores = ImmutableArray.CreateBuilder<double>();
        var id = 0;
        foreach (var entry in array.EnumerateArray())
        {
            if (entry.ValueKind == JsonValueKind.String)
            {
                ids.Add(entry.GetString()!, id++);
                continue;
            }

            var isPair = entry.ValueKind == JsonValueKind.Array && entry.GetArrayLength() == 2 && entry[0].ValueKind == JsonValueKind.String
                && entry[1].ValueKind is JsonValueKind.Number or JsonValueKind.Null;
            if (!isPair)
            {
                throw new FormatException($"entry {id} is {entry.GetRawText()}");
            }

            // Published vocabularies have pieces twice and without a score; JavaScript's readers take the last one and 0.
            ids[entry[0].GetString()!] = id++;
            scores.Add(entry[1].ValueKind == JsonValueKind.Null ? 0 : entry[1].GetDouble());
        }

        return new() { Path = path, Ids = ids, Scores = scores.ToImmutable() };
    }

    private static Dictionary<string, int> OfObject(JsonElement tokens)
    {
        var ids = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (var token in tokens.EnumerateObject())
        {
            ids.Add(token.Name, token.Value.GetInt32());
        }

        return ids;
    }

    private static VocabularyFile OfTokenizer(string path, JsonElement root, JsonElement model)
    {
        var tokens = model.GetProperty("vocab");
        var listed = tokens.ValueKind == JsonValueKind.Array ? OfArray(path, tokens) : new() { Path = path, Ids = OfObject(tokens) };
        var special = ImmutableSortedDictionary.CreateBuilder<string, int>(StringComparer.Ordinal);
        if (root.TryGetProperty("added_tokens", out var added) && added.ValueKind == JsonValueKind.Array)
        {
            foreach (var token in added.EnumerateArray())
            {
                special[token.GetProperty("content").GetString()!] = token.GetProperty("id").GetInt32();
            }
        }

        var merges = ImmutableArray.CreateBuilder<string>();
        if (model.TryGetProperty("merges", out var pairs) && pairs.ValueKind == JsonValueKind.Array)
        {
            foreach (var pair in pairs.EnumerateArray())
            {
                merges.Add(pair.ValueKind == JsonValueKind.Array ? $"{pair[0].GetString()} {pair[1].GetString()}" : pair.GetString()!);
            }
        }

        return new()
        {
            Path = path,
            Ids = listed.Ids,
            Scores = listed.Scores,
            Merges = merges.ToImmutable(),
            Special = special.ToImmutable(),
            WordPattern = root.TryGetProperty("pre_tokenizer", out var words) ? PatternOf(words) : null,
            UnknownId = model.TryGetProperty("unk_id", out var unknown) && unknown.ValueKind == JsonValueKind.Number ? unknown.GetInt32()
                : model.TryGetProperty("unk_token", out var name) && name.ValueKind == JsonValueKind.String && listed.Ids.TryGetValue(name.GetString()!, out var id) ? id : null,
        };
    }

    // "Split" with a regular expression, alone or as one of a sequence.
    private static string? PatternOf(JsonElement preTokenizer)
    {
        if (preTokenizer.ValueKind != JsonValueKind.Object)
        {
            return null;
        }

        if (preTokenizer.TryGetProperty("pretokenizers", out var sequence) && sequence.ValueKind == JsonValueKind.Array)
        {
            foreach (var part in sequence.EnumerateArray())
            {
                if (PatternOf(part) is { } pattern)
                {
                    return pattern;
                }
            }
        }

        return preTokenizer.TryGetProperty("pattern", out var found) && found.ValueKind == JsonValueKind.Object && found.TryGetProperty("Regex", out var regex)
            ? regex.GetString() : null;
    }
}
