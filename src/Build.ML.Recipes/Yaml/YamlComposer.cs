using System.Collections.Immutable;
using Build.ML.Graph.Diagnostics;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace Build.ML.Recipes.Yaml;

/// <summary>
/// Parser events to nodes. Works on events instead of YamlDotNet's own document model to keep positions, to find every duplicate key, and to bound what
/// hostile input costs: nesting (the call stack) and aliases (a few lines can stand for 10^9 nodes).
/// </summary>
internal sealed class YamlComposer
{
    internal const int MaximumDepth = 64;
    internal const int MaximumNodes = 100_000;
    private const string MergeKey = "<<";

    private readonly YamlSource _source;
    private readonly PropertyExpander _expander;
    private readonly Violations _violations;
    private readonly GuardedParser _parser;
    private readonly Dictionary<string, YamlNode> _anchors = new(StringComparer.Ordinal);
    private long _size;

    private YamlComposer(YamlSource source, string text, PropertyExpander expander, Violations violations)
    {
        (_source, _expander, _violations) = (source, expander, violations);
        _parser = new GuardedParser(new Parser(new StringReader(text)));
    }

    /// <summary>The only document of a text, or null where it cannot be read; then a violation says why.</summary>
    internal static YamlNode? Compose(YamlSource source, string text, PropertyExpander expander, Violations violations)
    {
        try
        {
            return new YamlComposer(source, text, expander, violations).Document();
        }
        catch (YamlException e)
        {
            violations.Add(new Diagnostic("BML1001", $"Not valid YAML: {e.Message.TrimEnd('.')}.", Place(source, e.Start)));
        }
        catch (DiagnosticException e)
        {
            violations.Add(e);
        }

        return null;
    }

    private static SourceLocation Place(YamlSource source, Mark mark) => new(source.Display, (int)Math.Max(1, mark.Line), (int)Math.Max(1, mark.Column));

    private YamlNode Document()
    {
        _parser.Consume<StreamStart>();
        if (_parser.Accept<StreamEnd>(out _))
        {
            return new YamlScalar(_source, 1, 1, "", true);
        }

        _parser.Consume<DocumentStart>();
        var root = Node(0);
        _parser.Consume<DocumentEnd>();
        return _parser.Accept<DocumentStart>(out var second)
            ? throw Error("BML1004", second, "A second document starts here; a recipe is one document: remove '---' or make two files.")
            : root;
    }

    private YamlNode Node(int depth)
    {
        if (depth > MaximumDepth)
        {
            throw Error("BML1003", _parser.Current!, $"Nested deeper than {MaximumDepth} levels.");
        }

        if (_parser.TryConsume<AnchorAlias>(out var alias))
        {
            return _anchors.TryGetValue(alias.Value.Value, out var target)
                ? Counted(target, target.Size, alias)
                : throw Error("BML1004", alias, $"No anchor '&{alias.Value}' stands before this alias.{_violations.Suggest(alias.Value.Value, _anchors.Keys)}");
        }

        var start = _parser.Consume<NodeEvent>();
        if (!start.Tag.IsEmpty && !start.Tag.IsNonSpecific)
        {
            _violations.Add(new Diagnostic("BML1004", $"Tag '{start.Tag}' is not supported; remove it.", Place(_source, start.Start)));
        }

        var node = Counted(Content(start, depth), 1, start);
        if (!start.Anchor.IsEmpty)
        {
            _anchors[start.Anchor.Value] = node;
        }

        return node;
    }

    private YamlNode Content(NodeEvent start, int depth) => start switch
    {
        Scalar scalar => _expander.Expand(ScalarOf(scalar)),
        SequenceStart => Sequence(start, depth),
        _ => Mapping(start, depth),
    };

    private YamlScalar ScalarOf(Scalar scalar) => new(
        _source, (int)scalar.Start.Line, (int)scalar.Start.Column, scalar.Value, scalar.Style is ScalarStyle.Plain);

    private YamlNode Counted(YamlNode node, long size, ParsingEvent place)
    {
        _size += size;
        return _size <= MaximumNodes
            ? node
            : throw Error("BML1003", place, $"Expands to more than {MaximumNodes} values; use fewer aliases.");
    }

    private YamlSequence Sequence(NodeEvent start, int depth)
    {
        var items = ImmutableArray.CreateBuilder<YamlNode>();
        while (!_parser.TryConsume<SequenceEnd>(out _))
        {
            items.Add(Node(depth + 1));
        }

        return new(_source, (int)start.Start.Line, (int)start.Start.Column, items.ToImmutable());
    }

    private YamlMapping Mapping(NodeEvent start, int depth)
    {
        var entries = ImmutableArray.CreateBuilder<YamlEntry>();
        var own = new Dictionary<string, YamlScalar>(StringComparer.Ordinal);
        var merged = new List<YamlEntry>();
        while (!_parser.TryConsume<MappingEnd>(out _))
        {
            if (!_parser.TryConsume<Scalar>(out var keyEvent))
            {
                throw Error("BML1004", _parser.Current!, "A key must be plain text here.");
            }

            var key = ScalarOf(keyEvent);
            var value = Node(depth + 1);
            if (key is { IsPlain: true, Text: MergeKey })
            {
                merged.AddRange(Merged(value));
            }
            else if (own.TryGetValue(key.Text, out var first))
            {
                _violations.Add("BML1005", key, $"Key '{YamlScalar.Shorten(key.Text)}' is here a second time, first in line {first.Line}; keep one.");
            }
            else
            {
                own.Add(key.Text, key);
                entries.Add(new(key, value));
            }
        }

        // A merge key fills in what the mapping itself lacks; of several merged mappings the earlier wins (YAML merge key type, 2005).
        entries.AddRange(merged.Where(entry => own.TryAdd(entry.Key.Text, entry.Key)));
        return new(_source, (int)start.Start.Line, (int)start.Start.Column, entries.ToImmutable());
    }

    private IEnumerable<YamlEntry> Merged(YamlNode value)
    {
        switch (value)
        {
            case YamlMapping mapping:
                return mapping.Entries;
            case YamlSequence list when list.Items.All(i => i is YamlMapping):
                return list.Items.SelectMany(i => ((YamlMapping)i).Entries);
            default:
                _violations.Add("BML1008", value, $"'<<' merges a mapping or a list of mappings, found {value.Kind}.");
                return [];
        }
    }

    private DiagnosticException Error(string code, ParsingEvent place, string message) => new(code, message, Place(_source, place.Start));
}
