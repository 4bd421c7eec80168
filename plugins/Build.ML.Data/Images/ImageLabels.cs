using System.Globalization;
using Build.ML.Abstractions.Data;
using Build.ML.Data.Files;
using Build.ML.Graph.Diagnostics;

namespace Build.ML.Data.Images;

/// <summary>Which images of a tree are samples, and their labels.</summary>
internal static class ImageLabels
{
    private const string DefaultName = "labels.csv";

    /// <summary>Images and labels in the order of samples.</summary>
    /// <param name="tree">Where the images are.</param>
    /// <param name="labelsFile">A CSV file, or null: <c>labels.csv</c> of the tree where there is one, else sub-folders.</param>
    /// <exception cref="DiagnosticException">BML5204, BML5205: columns or images that are missing, all of them.</exception>
    public static IReadOnlyList<(string Name, Label Label)> Of(FileTree tree, string? labelsFile)
    {
        if (labelsFile is not null)
        {
            return FromTable(tree, CsvTable.Read(new FileBytes(labelsFile).ReadAll(), labelsFile));
        }

        if (tree.Names.Contains(DefaultName, StringComparer.Ordinal))
        {
            return FromTable(tree, CsvTable.Read(tree.Read(DefaultName), tree.Describe(DefaultName)));
        }

        return FromFolders(tree);
    }

    private static List<(string, Label)> FromTable(FileTree tree, CsvTable table)
    {
        var file = table.Column("file");
        var text = table.Header.Contains("text") ? table.Column("text") : -1;
        var number = table.Header.Contains("class") ? table.Column("class") : -1;
        if (text < 0 && number < 0)
        {
            throw DataErrors.DoesNotFit(table.File, $"The columns are {string.Join(", ", table.Header)}; expected 'text' or 'class' beside 'file'.");
        }

        var names = tree.Names.ToHashSet(StringComparer.Ordinal);
        var errors = new List<Diagnostic>();
        var images = new List<(string, Label)>(table.Rows.Count);
        foreach (var (line, fields) in table.Rows)
        {
            if (!names.Contains(fields[file]))
            {
                errors.Add(new("BML5205", $"'{fields[file]}' is not among the files of {tree.Path}. Add the image or remove the line.", new(table.File, line)));
            }

            long? value = null;
            if (number >= 0)
            {
                value = long.TryParse(fields[number], NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var parsed) ? parsed : null;
                if (value is null)
                {
                    errors.Add(DataErrors.MalformedLine(table.File, line, $"class '{fields[number]}'", "an integer"));
                }
            }

            images.Add((fields[file], new Label { Text = text >= 0 ? fields[text] : null, Class = value }));
        }

        return errors.Count == 0 ? images : throw new DiagnosticException(errors);
    }

    private static List<(string, Label)> FromFolders(FileTree tree)
    {
        var images = tree.Names.Where(n => ImageDecoder.AllExtensions.Contains(Path.GetExtension(n).ToLowerInvariant())).ToArray();
        var classes = images.Where(n => n.Contains('/')).Select(n => n[..n.IndexOf('/')]).Distinct(StringComparer.Ordinal)
            .Order(StringComparer.Ordinal).Select((name, i) => KeyValuePair.Create(name, (long)i)).ToDictionary(StringComparer.Ordinal);
        if (classes.Count > 0 && images.FirstOrDefault(n => !n.Contains('/')) is { } loose)
        {
            throw new DiagnosticException(
                "BML5205", $"'{loose}' lies beside the class folders {string.Join(", ", classes.Keys)}, so it has no class. Move it into one of them, or "
                + "give a labels file.", new(tree.Path));
        }

        return [.. images.Select(n => (n, classes.Count == 0 ? Label.None : new Label { Class = classes[n[..n.IndexOf('/')]] }))];
    }
}
