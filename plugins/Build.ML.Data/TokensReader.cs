using System.Collections.Immutable;
using System.ComponentModel.DataAnnotations;
using System.Text.Json;
using Build.ML.Abstractions.Data;
using Build.ML.Abstractions.References;
using Build.ML.Data.Files;
using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Tensors;

namespace Build.ML.Data;

/// <summary>
/// Token ids made by a tokenizer: a JSON array of objects, or JSON Lines (one object a line), each with an array of ids. Samples are int64[length],
/// with an attention mask of the same shape where its input is named.
/// </summary>
[DataReader("tokens")]
public sealed class TokensReader : DataReader<TokensReader.Options>
{
    /// <summary>What to read.</summary>
    public sealed record Options
    {
        /// <summary>The file, plain or gzip.</summary>
        public required FileReference File { get; init; }

        /// <summary>Field of the ids. Default <c>ids</c>.</summary>
        public string Ids { get; init; } = "ids";

        /// <summary>Field of the class number (true counts as 1); default none.</summary>
        public string Label { get; init; } = "";

        /// <summary>Field of the text that is the label; default none.</summary>
        public string Text { get; init; } = "";

        /// <summary>Longer ids are cut to this many. Default 0: not cut.</summary>
        [Range(0, int.MaxValue)]
        public int MaxLength { get; init; }

        /// <summary>Shorter ids are padded to this many. Default 0: not padded, so that only samples of one length share a batch.</summary>
        [Range(0, int.MaxValue)]
        public int PadTo { get; init; }

        /// <summary>The id that pads. Default 0.</summary>
        public long PadId { get; init; }

        /// <summary>Name of the input the ids feed; default: the model's first.</summary>
        public string Input { get; init; } = "";

        /// <summary>Name of the input that the attention mask feeds: 1 for ids of the file, 0 for padding. Default none.</summary>
        public string Mask { get; init; } = "";
    }

    /// <inheritdoc/>
    public override DataSet Read(Options options)
    {
        ArgumentNullException.ThrowIfNull(options);
        var bytes = new FileBytes(options.File.Path).ReadAll();
        var samples = new List<(long[] Ids, Label Label)>();
        var errors = new List<Diagnostic>();
        try
        {
            // A top-level array, or values after one another, which is what JSON Lines are.
            var (line, counted) = (1, 0L);
            var reader = new Utf8JsonReader(bytes, new JsonReaderOptions { AllowMultipleValues = true });
            while (reader.Read())
            {
                if (reader.TokenType is JsonTokenType.StartArray or JsonTokenType.EndArray && reader.CurrentDepth == 0)
                {
                    continue;
                }

                line += bytes.AsSpan((int)counted, (int)(reader.TokenStartIndex - counted)).Count((byte)'\n');
                counted = reader.TokenStartIndex;
                using var element = JsonDocument.ParseValue(ref reader);
                samples.Add(SampleOf(element.RootElement, options, line, errors));
            }
        }
        catch (JsonException e)
        {
            throw new DiagnosticException(DataErrors.MalformedLine(
                options.File.Path, (int)(e.LineNumber ?? 0) + 1, "broken JSON", "an array of objects or one object a line", (int)(e.BytePositionInLine ?? 0) + 1));
        }

        return errors.Count > 0
            ? throw new DiagnosticException(errors)
            : new IndexedDataSet(samples.Count, i => new Sample(Inputs(samples[i].Ids, options), samples[i].Label));
    }

    private static (long[] Ids, Label Label) SampleOf(JsonElement element, Options options, int line, List<Diagnostic> errors)
    {
        var ids = Field(element, options.Ids, JsonValueKind.Array, "an array of integers", line, options, errors);
        var values = new List<long>();
        foreach (var id in ids is { } array ? array.EnumerateArray().AsEnumerable() : [])
        {
            if (id.ValueKind != JsonValueKind.Number || !id.TryGetInt64(out var value))
            {
                errors.Add(DataErrors.MalformedLine(options.File.Path, line, $"id {id.GetRawText()} in '{options.Ids}'", "an integer"));
                break;
            }

            values.Add(value);
        }

        long? number = null;
        if (options.Label.Length > 0)
        {
            number = element.ValueKind == JsonValueKind.Object && element.TryGetProperty(options.Label, out var label) ? label.ValueKind switch
            {
                JsonValueKind.True => 1,
                JsonValueKind.False => 0,
                JsonValueKind.Number when label.TryGetInt64(out var value) => value,
                _ => null,
            }
            : null;
            if (number is null)
            {
                errors.Add(DataErrors.MalformedLine(options.File.Path, line, $"no integer or boolean '{options.Label}'", "the class"));
            }
        }

        var text = options.Text.Length == 0 ? null
            : Field(element, options.Text, JsonValueKind.String, "a string", line, options, errors)?.GetString();
        var length = options.MaxLength > 0 ? Math.Min(values.Count, options.MaxLength) : values.Count;
        return (values[..length].ToArray(), new Label { Class = number, Text = text });
    }

    private static JsonElement? Field(
        JsonElement element, string name, JsonValueKind kind, string expected, int line, Options options, List<Diagnostic> errors)
    {
        if (element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out var value) && value.ValueKind == kind)
        {
            return value;
        }

        errors.Add(DataErrors.MalformedLine(options.File.Path, line, $"no such field '{name}'", $"an object in which it is {expected}"));
        return null;
    }

    private static ImmutableArray<KeyValuePair<string, Tensor>> Inputs(long[] ids, Options options)
    {
        var length = Math.Max(ids.Length, options.PadTo);
        var padded = new long[length];
        padded.AsSpan(ids.Length).Fill(options.PadId);
        ids.CopyTo(padded, 0);
        var input = KeyValuePair.Create(options.Input, Tensor.Of(padded, length));
        if (options.Mask.Length == 0)
        {
            return [input];
        }

        var mask = new long[length];
        mask.AsSpan(0, ids.Length).Fill(1);
        return [input, KeyValuePair.Create(options.Mask, Tensor.Of(mask, length))];
    }
}
