using System.Collections.Immutable;
using System.ComponentModel.DataAnnotations;
using System.Text.Json;
using Build.ML.Abstractions.Data;
using Build.ML.Abstractions.References;
using Build.ML.Data.Files;
using Build.ML.Data.Texts;
using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Tensors;

namespace Build.ML.Data;

/// <summary>
/// JSON Lines: an object a line, whose fields are tensors (numbers, in arrays of any depth), a text for a tokenizer, and the label. The
/// file is read whole; blank lines are passed over.
/// </summary>
[DataReader("jsonl")]
public sealed class JsonlReader : DataReader<JsonlReader.Options>
{
    /// <summary>Element type of a field's tensor.</summary>
    public enum FieldType
    {
        /// <summary>float32.</summary>
        Float,

        /// <summary>int64; numbers with a fraction are an error.</summary>
        Int64,
    }

    /// <summary>A field that is a tensor.</summary>
    public sealed record Field
    {
        /// <summary>Name of the field: a number, or arrays of numbers as deep as the tensor has dimensions, equally long in each.</summary>
        public required string Name { get; init; }

        /// <summary>Name of the model's input; default: its first.</summary>
        public string Input { get; init; } = "";

        /// <summary>Element type. Default <c>float</c>.</summary>
        public FieldType Type { get; init; } = FieldType.Float;

        /// <summary>Sizes of the tensor, of the same product; default: as the arrays are nested.</summary>
        public ImmutableArray<long> Shape { get; init; } = [];
    }

    /// <summary>How the field <c>text</c> becomes ids.</summary>
    public sealed record TextField : TextOptions
    {
        /// <summary>Name of the field, a string. Default <c>text</c>.</summary>
        public string Name { get; init; } = "text";
    }

    /// <summary>What to read.</summary>
    public sealed record Options : IValidatableObject
    {
        /// <summary>The file, plain or gzip.</summary>
        public required FileReference File { get; init; }

        /// <summary>Fields that are tensors; default none.</summary>
        public ImmutableArray<Field> Fields { get; init; } = [];

        /// <summary>The field that is a text for a tokenizer; default none.</summary>
        public TextField? Text { get; init; }

        /// <summary>Field of the class: an integer, true (1) or false (0), or one of <see cref="Classes"/>. Default none.</summary>
        public string Label { get; init; } = "";

        /// <summary>Names of the classes in the order of their numbers, where the label is a string. Default none.</summary>
        public ImmutableArray<string> Classes { get; init; } = [];

        /// <summary>Field of the text that is the label; default none.</summary>
        public string LabelText { get; init; } = "";

        /// <summary>Field of the numbers that are the target, for regression; default none.</summary>
        public string Target { get; init; } = "";

        /// <inheritdoc/>
        public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
        {
            if (Fields.IsDefaultOrEmpty == (Text is null))
            {
                yield return new("Expected either 'fields' or 'text'.", [nameof(Fields)]);
            }
        }
    }

    /// <inheritdoc/>
    public override DataSet Read(Options options)
    {
        ArgumentNullException.ThrowIfNull(options);
        var file = options.File.Path;
        var errors = new List<Diagnostic>();
        var samples = new List<(ImmutableArray<KeyValuePair<string, Tensor>> Inputs, string Text, Label Label)>();
        ReadOnlySpan<byte> rest = new FileBytes(file).ReadAll();
        for (var line = 1; rest.Length > 0; line++)
        {
            var end = rest.IndexOf((byte)'\n');
            var bytes = end < 0 ? rest : rest[..end];
            rest = end < 0 ? default : rest[(end + 1)..];
            if (line == 1 && bytes.StartsWith(System.Text.Encoding.UTF8.Preamble))
            {
                bytes = bytes[3..];
            }

            if (bytes.TrimEnd("\r \t"u8).Length == 0)
            {
                continue;
            }

            try
            {
                using var document = JsonDocument.Parse(bytes.ToArray());
                var row = new JsonRow(document.RootElement, file, line, errors);
                var inputs = ImmutableArray.CreateBuilder<KeyValuePair<string, Tensor>>();
                foreach (var field in options.Fields.IsDefault ? [] : options.Fields)
                {
                    inputs.Add(new(field.Input, row.Numbers(field.Name, field.Type == FieldType.Int64, field.Shape)));
                }

                samples.Add((inputs.ToImmutable(), options.Text is null ? "" : row.Text(options.Text.Name), new Label
                {
                    Class = options.Label.Length > 0 ? row.Class(options.Label, options.Classes) : null,
                    Text = options.LabelText.Length > 0 ? row.Text(options.LabelText) : null,
                    Target = options.Target.Length > 0 ? row.Numbers(options.Target, isInteger: false, []) : null,
                }));
            }
            catch (JsonException e)
            {
                errors.Add(DataErrors.MalformedLine(file, line, "broken JSON", "an object a line", (int)(e.BytePositionInLine ?? 0) + 1));
            }
        }

        return errors.Count > 0 ? throw new DiagnosticException(errors)
            : options.Text is null ? new IndexedDataSet(samples.Count, i => new Sample(samples[i].Inputs, samples[i].Label))
            : TextSamples.Of([.. samples.Select(s => new LabelledText(() => s.Text, s.Label))], options.Text, file);
    }
}
