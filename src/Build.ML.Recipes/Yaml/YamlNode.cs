using System.Collections.Immutable;
using Build.ML.Graph.Diagnostics;

namespace Build.ML.Recipes.Yaml;

/// <summary>A file that YAML came from.</summary>
/// <param name="Display">As the user knows it, for diagnostics.</param>
/// <param name="FullPath">Absolute.</param>
internal sealed record YamlSource(string Display, string FullPath)
{
    /// <summary>Absolute path of a relative one written in this file.</summary>
    internal string Resolve(string path) => Path.GetFullPath(path, Path.GetDirectoryName(FullPath)!);
}

/// <summary>A value in a YAML file, properties expanded, aliases and merge keys resolved.</summary>
/// <param name="Source">The file.</param>
/// <param name="Line">From 1.</param>
/// <param name="Column">From 1.</param>
internal abstract record YamlNode(YamlSource Source, int Line, int Column)
{
    /// <summary>Where the value starts.</summary>
    internal SourceLocation Location => new(Source.Display, Line, Column);

    /// <summary>For messages: <c>a mapping</c>.</summary>
    internal abstract string Kind { get; }

    /// <summary>Nodes in the tree below, itself included, aliases counted wherever they are used.</summary>
    internal virtual long Size => 1;
}

/// <summary>Text, plain or quoted.</summary>
/// <param name="Source">The file.</param>
/// <param name="Line">From 1.</param>
/// <param name="Column">From 1.</param>
/// <param name="Text">The value.</param>
/// <param name="IsPlain">Whether written without quotes, so that it may be a number, a truth value or nothing.</param>
internal sealed record YamlScalar(YamlSource Source, int Line, int Column, string Text, bool IsPlain) : YamlNode(Source, Line, Column)
{
    /// <summary>Whether it says "no value": <c>~</c>, <c>null</c> or nothing at all.</summary>
    internal bool IsNull => IsPlain && Text is "" or "~" or "null" or "Null" or "NULL";

    /// <inheritdoc/>
    internal override string Kind => IsNull ? "no value" : $"'{Shorten(Text)}'";

    internal static string Shorten(string text) => text.Length <= 60 ? text : text[..57] + "...";
}

/// <summary>A list.</summary>
/// <param name="Source">The file.</param>
/// <param name="Line">From 1.</param>
/// <param name="Column">From 1.</param>
/// <param name="Items">In order.</param>
internal sealed record YamlSequence(YamlSource Source, int Line, int Column, ImmutableArray<YamlNode> Items) : YamlNode(Source, Line, Column)
{
    /// <inheritdoc/>
    internal override string Kind => "a list";

    /// <inheritdoc/>
    internal override long Size { get; } = 1 + Items.Sum(i => i.Size);
}

/// <summary>Keys and values; no key comes twice.</summary>
/// <param name="Source">The file.</param>
/// <param name="Line">From 1.</param>
/// <param name="Column">From 1.</param>
/// <param name="Entries">In order.</param>
internal sealed record YamlMapping(YamlSource Source, int Line, int Column, ImmutableArray<YamlEntry> Entries) : YamlNode(Source, Line, Column)
{
    /// <inheritdoc/>
    internal override string Kind => "a mapping";

    /// <inheritdoc/>
    internal override long Size { get; } = 1 + Entries.Sum(e => e.Value.Size);
}

/// <summary>One key of a mapping.</summary>
/// <param name="Key">The key's text and place.</param>
/// <param name="Value">Its value.</param>
internal sealed record YamlEntry(YamlScalar Key, YamlNode Value);
