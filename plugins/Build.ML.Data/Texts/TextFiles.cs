using System.Collections.Immutable;
using Build.ML.Abstractions.Data;
using Build.ML.Abstractions.References;
using Build.ML.Abstractions.Selection;
using Build.ML.Data.Files;
using Build.ML.Graph.Diagnostics;

namespace Build.ML.Data.Texts;

/// <summary>Which files are texts, and their classes.</summary>
public abstract record TextFileOptions : TextOptions
{
    /// <summary>A file, a folder, or a .zip, .tar or .tgz file (a whole npm package is one).</summary>
    public required FileReference Path { get; init; }

    /// <summary>
    /// Classes by name, each with globs over the files' paths in the folder or archive (<c>*</c> stands for any characters, slashes too).
    /// Classes are numbered in ordinal order of their
    /// names; files in no class are not read. Default: the first folder of a path is the class, and files in no folder have none.
    /// </summary>
    public IReadOnlyDictionary<string, ImmutableArray<string>> Classes { get; init; } = ImmutableSortedDictionary<string, ImmutableArray<string>>.Empty;

    /// <summary>Globs over the files' paths; others are not read. Default: all.</summary>
    public ImmutableArray<string> Include { get; init; } = ["*"];
}

/// <summary>A file of text, read when asked for.</summary>
/// <param name="Name">For messages.</param>
/// <param name="Read">Its bytes; from any thread.</param>
/// <param name="Label">Its class.</param>
internal readonly record struct TextFile(string Name, Func<byte[]> Read, Label Label);

/// <summary>Finds the files of <see cref="TextFileOptions"/>.</summary>
internal static class TextFiles
{
    /// <summary>The files in ordinal order of their paths.</summary>
    /// <exception cref="DiagnosticException">BML5204 no file; BML5205 a class without files, a file of two classes, all of
    /// them.</exception>
    public static IReadOnlyList<TextFile> Of(TextFileOptions options)
    {
        var path = options.Path.Path;
        if (File.Exists(path) && !IsArchive(path))
        {
            return [new(path, () => new FileBytes(path).ReadAll(), Label.None)];
        }

        var include = Patterns(options.Include);
        var classes = options.Classes.OrderBy(c => c.Key, StringComparer.Ordinal)
            .Select(c => (Name: c.Key, Patterns: Patterns(c.Value))).ToArray();
        var tree = new FileTree(
            path, name => Matches(include, name) && (classes.Length == 0 || classes.Any(c => Matches(c.Patterns, name))));
        if (tree.Names.Count == 0)
        {
            throw DataErrors.DoesNotFit(
                path, $"No file in it fits {string.Join(", ", options.Include)}{(classes.Length > 0 ? " and the globs of 'classes'" : "")}. "
                + "Correct the globs: they fit whole paths.");
        }

        var labels = classes.Length > 0 ? ByPattern(tree, classes) : ByFolder(tree);
        return [.. tree.Names.Select((name, i) => new TextFile(tree.Describe(name), () => tree.Read(name), labels[i]))];
    }

    // By content; a gzip file is a packed tar file where its name says so, else a packed text.
    private static bool IsArchive(string path)
    {
        Span<byte> head = stackalloc byte[262];
        using var file = File.OpenRead(path);
        file.ReadAtLeast(head, head.Length, throwOnEndOfStream: false);
        return head is [0x1f, 0x8b, ..]
            ? path.EndsWith(".tgz", StringComparison.OrdinalIgnoreCase) || path.EndsWith(".tar.gz", StringComparison.OrdinalIgnoreCase)
            : head is [(byte)'P', (byte)'K', 3, 4, ..] || head[257..].SequenceEqual("ustar"u8);
    }

    private static NamePattern[] Patterns(ImmutableArray<string> globs) => [.. globs.Select(g => new NamePattern(g))];

    private static bool Matches(NamePattern[] patterns, string name)
    {
        foreach (var pattern in patterns)
        {
            if (pattern.Matches(name))
            {
                return true;
            }
        }

        return false;
    }

    private static Label[] ByPattern(FileTree tree, (string Name, NamePattern[] Patterns)[] classes)
    {
        var errors = new List<Diagnostic>();
        var labels = new Label[tree.Names.Count];
        var counts = new int[classes.Length];
        for (var i = 0; i < labels.Length; i++)
        {
            int[] fitting = [.. Enumerable.Range(0, classes.Length).Where(c => Matches(classes[c].Patterns, tree.Names[i]))];
            if (fitting.Length > 1)
            {
                errors.Add(new("BML5205",
                    $"'{tree.Names[i]}' fits the classes {string.Join(", ", fitting.Select(c => classes[c].Name))}; expected one. "
                    + "Correct the globs of 'classes'.", new(tree.Path)));
            }

            labels[i] = new Label { Class = fitting[0] };
            counts[fitting[0]]++;
        }

        errors.AddRange(classes.Where((_, c) => counts[c] == 0).Select(c => new Diagnostic(
            "BML5205", $"No file fits class '{c.Name}' ({string.Join(", ", c.Patterns.Select(p => p.Text))}); expected one or more. "
            + "Correct the globs: they fit whole paths.", new(tree.Path))));
        return errors.Count == 0 ? labels : throw new DiagnosticException(errors);
    }

    private static Label[] ByFolder(FileTree tree)
    {
        static string? FolderOf(string name) => name.IndexOf('/') is > 0 and var slash ? name[..slash] : null;
        var folders = tree.Names.Select(FolderOf).OfType<string>().Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal).ToList();
        return folders.Count > 0 && tree.Names.FirstOrDefault(n => FolderOf(n) is null) is { } loose
            ? throw new DiagnosticException("BML5205",
                $"'{loose}' lies beside the class folders {string.Join(", ", folders)}, so it has no class. Move it into one of them, or write 'classes' or 'include'.", new(tree.Path))
            : [.. tree.Names.Select(n => folders.Count == 0 ? Label.None : new Label { Class = folders.IndexOf(FolderOf(n)!) })];
    }
}
