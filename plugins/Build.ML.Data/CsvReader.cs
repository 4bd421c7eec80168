using System.Collections.Immutable;
using System.ComponentModel.DataAnnotations;
using System.Globalization;
using Build.ML.Abstractions.Data;
using Build.ML.Abstractions.References;
using Build.ML.Data.Files;
using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Tensors;

namespace Build.ML.Data;

/// <summary>
/// A delimited text file with a header line (RFC 4180, UTF-8): columns of numbers become one float tensor [features] a line, in the order named, read
/// whole into memory as floats.
/// </summary>
[DataReader("csv")]
public sealed class CsvReader : DataReader<CsvReader.Options>
{
    /// <summary>What to read.</summary>
    public sealed record Options
    {
        /// <summary>The file, plain or gzip.</summary>
        public required FileReference File { get; init; }

        /// <summary>Columns that are features, in the order of the tensor. Default: all but those named for labels, in file order.</summary>
        public ImmutableArray<string> Features { get; init; } = [];

        /// <summary>Column of class numbers; default none.</summary>
        public string Label { get; init; } = "";

        /// <summary>Column of texts that are labels; default none.</summary>
        public string Text { get; init; } = "";

        /// <summary>One character between fields. Default a comma.</summary>
        [StringLength(1, MinimumLength = 1)]
        public string Delimiter { get; init; } = ",";

        /// <summary>Factor of each number. Default 1.</summary>
        public double Scale { get; init; } = 1;

        /// <summary>Sizes of a sample's tensor, such as [1, 28, 28]; default [features].</summary>
        public ImmutableArray<long> Shape { get; init; } = [];

        /// <summary>Name of the model's input; default: its first.</summary>
        public string Input { get; init; } = "";
    }

    /// <inheritdoc/>
    public override DataSet Read(Options options)
    {
        ArgumentNullException.ThrowIfNull(options);
        var file = options.File.Path;
        var table = CsvTable.Read(new FileBytes(file).ReadAll(), file, options.Delimiter[0]);
        var label = options.Label.Length > 0 ? table.Column(options.Label) : -1;
        var text = options.Text.Length > 0 ? table.Column(options.Text) : -1;
        int[] features = options.Features.IsDefaultOrEmpty
            ? [.. Enumerable.Range(0, table.Header.Length).Where(c => c != label && c != text)]
            : [.. options.Features.Select(table.Column)];
        long[] shape = options.Shape.IsDefaultOrEmpty ? [features.Length] : [.. options.Shape];
        if (shape.Any(s => s < 1) || shape.Aggregate((UInt128)1, (product, size) => product * (ulong)size) != (ulong)features.Length)
        {
            throw DataErrors.DoesNotFit(file, $"There are {features.Length} features, 'shape' says [{string.Join(',', shape)}]; make its product as many.");
        }

        var errors = new List<Diagnostic>();
        var samples = new (float[] Elements, Label Label)[table.Rows.Count];
        for (var i = 0; i < samples.Length; i++)
        {
            var (line, fields) = table.Rows[i];
            var elements = new float[features.Length];
            for (var f = 0; f < features.Length; f++)
            {
                elements[f] = (float)(Number(fields[features[f]], table.Header[features[f]], file, line, errors) * options.Scale);
            }

            samples[i] = (elements, new Label
            {
                Class = label < 0 ? null : Class(fields[label], table.Header[label], file, line, errors),
                Text = text < 0 ? null : fields[text],
            });
        }

        return errors.Count == 0
            ? new IndexedDataSet(samples.Length, i => new Sample([new(options.Input, Tensor.Of(samples[i].Elements, shape))], samples[i].Label))
            : throw new DiagnosticException(errors);
    }

    private static double Number(string field, string column, string file, int line, List<Diagnostic> errors)
    {
        if (!double.TryParse(field, NumberStyles.Float, CultureInfo.InvariantCulture, out var value))
        {
            errors.Add(DataErrors.MalformedLine(file, line, $"'{field}' in column '{column}'", "a number with a point"));
        }

        return value;
    }

    private static long Class(string field, string column, string file, int line, List<Diagnostic> errors)
    {
        if (!long.TryParse(field, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var value))
        {
            errors.Add(DataErrors.MalformedLine(file, line, $"'{field}' in column '{column}'", "an integer"));
        }

        return value;
    }
}
