using System.Text;
using Build.ML.Graph.Diagnostics;
using Build.ML.Recipes.Yaml;

namespace Build.ML.Recipes;

/// <summary>Reads a recipe's files: the recipe and what it includes.</summary>
internal sealed class RecipeLoader(Violations violations, PropertyExpander expander)
{
    private const int MaximumBytes = 1 << 20;
    private const int MaximumFiles = 100;

    private readonly List<YamlSource> _files = [];
    private readonly List<string> _open = []; // the chain of includes down to the file being read

    /// <summary>Files in order of reading.</summary>
    internal IReadOnlyList<YamlSource> Files => _files;

    /// <summary>Entries of <c>data:</c> of all files, included files first.</summary>
    internal List<YamlEntry> Data { get; } = [];

    /// <summary>Entries of <c>steps:</c> of all files, included files first.</summary>
    internal List<YamlNode> Steps { get; } = [];

    /// <summary>Reads the recipe; null after a violation that leaves nothing to check.</summary>
    internal MappingReader? Load(string path, string? text)
    {
        var source = new YamlSource(path, Path.GetFullPath(path));
        return Open(source, text ?? ReadText(source.FullPath, new(path)), null);
    }

    private MappingReader? Open(YamlSource source, string? text, YamlScalar? includedBy)
    {
        _files.Add(source);
        if (text is not null && text.Length > MaximumBytes)
        {
            violations.Add(new Diagnostic("BML1002", $"The file has {text.Length} characters; expected at most {MaximumBytes}.", new(source.Display)));
            return null;
        }

        var root = text is null ? null : YamlComposer.Compose(source, text, expander, violations);
        if (root is null)
        {
            return null;
        }

        if (root is not YamlMapping mapping)
        {
            violations.Add("BML1008", root, $"The file is {root.Kind}; expected a mapping with keys such as 'model' and 'steps'.");
            return null;
        }

        _open.Add(source.FullPath);
        var reader = new MappingReader(mapping, violations);
        Includes(reader);
        Data.AddRange(reader.Map("data")?.Entries ?? []);
        Steps.AddRange(reader.List("steps")?.Items ?? []);
        if (includedBy is not null)
        {
            reader.Finish("an included file");
        }

        _open.RemoveAt(_open.Count - 1);
        return reader;
    }

    private void Includes(MappingReader reader)
    {
        var value = reader.Value("include");
        foreach (var item in value is YamlSequence list ? list.Items : value is null ? [] : [value])
        {
            if (item is YamlScalar { IsNull: false } scalar)
            {
                Include(scalar);
            }
            else
            {
                violations.Add("BML1008", item, $"'include' is {item.Kind}; expected a path or a list of paths.");
            }
        }
    }

    private void Include(YamlScalar place)
    {
        var (path, problem) = FileReferences.Resolve(place);
        if (problem is not null || path!.StartsWith(NpmReference.Scheme, StringComparison.Ordinal))
        {
            violations.Add(problem ?? new Diagnostic("BML1022", $"{place.Kind} cannot be included; expected a path.", place.Location));
        }
        else if (_open.IndexOf(path) is >= 0 and var start)
        {
            var chain = string.Join(" → ", _open.Skip(start).Append(path).Select(Path.GetFileName));
            violations.Add("BML1020", place, $"Files include each other in a circle: {chain}; remove one of the includes.");
        }
        else if (_files.Count >= MaximumFiles)
        {
            violations.Add("BML1020", place, $"More than {MaximumFiles} files are included; expected fewer.");
        }
        else
        {
            var source = new YamlSource(DisplayOf(place, path), path);
            Open(source, ReadText(path, place.Location), place);
        }
    }

    // Beside the recipe's own name, so that a relative recipe path yields relative paths for what it includes.
    private static string DisplayOf(YamlScalar place, string path) =>
        Path.IsPathRooted(place.Source.Display) ? path
        : Path.Combine(Path.GetDirectoryName(place.Source.Display) ?? "", place.Text);

    private string? ReadText(string path, SourceLocation place)
    {
        try
        {
            using var file = File.OpenRead(path);
            var bytes = new byte[MaximumBytes + 1];
            var length = file.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
            if (length <= MaximumBytes)
            {
                using var text = new StreamReader(new MemoryStream(bytes, 0, length), new UTF8Encoding(false, throwOnInvalidBytes: true));
                return text.ReadToEnd();
            }

            violations.Add(new Diagnostic("BML1002", $"{path} has more than {MaximumBytes} bytes; no recipe is that large.", place));
        }
        catch (DecoderFallbackException e)
        {
            violations.Add(new Diagnostic("BML1002", $"{path} is not UTF-8 text (byte {e.Index}); save it as UTF-8.", place));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            violations.Add(new Diagnostic("BML1002", $"{path} cannot be read: {e.Message}", place));
        }

        return null;
    }
}
