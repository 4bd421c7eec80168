using System.Globalization;
using System.Text.Json;
using Build.ML.Abstractions.Components;
using Build.ML.Abstractions.References;

namespace Build.ML.Recipes.Options;

/// <summary>Reads bound options for the engine: what they refer to, and their canonical form.</summary>
public static class OptionWalk
{
    /// <summary>All references in an options record, ordered by path.</summary>
    public static IReadOnlyList<OptionReference> References(object options)
    {
        var found = new List<OptionReference>();
        Canonical(options, reference =>
        {
            found.Add(reference);
            return "";
        });
        return found;
    }

    /// <summary>All components in an options record, with their paths, ordered by path.</summary>
    public static IReadOnlyList<KeyValuePair<string, object>> Components(object options)
    {
        var found = new List<KeyValuePair<string, object>>();
        new Walk(static _ => "", (path, component) => found.Add(new(path, component))).Record(options, "");
        return found;
    }

    /// <summary>
    /// The canonical form of options, for fingerprints: one entry a leaf, ordered by path, invariant culture, floats so that they read back exactly, text in JSON
    /// quotes, components by their name with their own options below, <c>null</c>, <c>[]</c> and <c>{}</c> spelled out. Defaults are written too: giving one explicitly changes nothing.
    /// </summary>
    /// <param name="options">A bound options record.</param>
    /// <param name="reference">What stands for a reference: a content hash, never the name or path.</param>
    public static IReadOnlyList<KeyValuePair<string, string>> Canonical(object options, Func<OptionReference, string> reference)
    {
        ArgumentNullException.ThrowIfNull(options);
        var walk = new Walk(reference, static (_, _) => { });
        walk.Record(options, "");
        return walk.Entries;
    }

    /// <summary>A copy of the options with other files, such as downloaded ones.</summary>
    /// <param name="options">A bound options record.</param>
    /// <param name="map">The new file for each old one.</param>
    public static object MapFiles(object options, Func<FileReference, FileReference> map)
    {
        ArgumentNullException.ThrowIfNull(options);
        var record = OptionRecord.Of(options.GetType());
        return record.Create(record.Properties.ToDictionary(p => p, p => Mapped(p.Type, p.Property.GetValue(options), map)));
    }

    private static object? Mapped(OptionType type, object? value, Func<FileReference, FileReference> map) => (type, value) switch
    {
        (_, null) => null,
        (_, FileReference file) => file.Path is null ? file : map(file),
        (RecordOption or ComponentOption, _) => MapFiles(value, map),
        (ListOption list, _) => OptionCollections.List(list, [.. OptionCollections.Items(value).Select(i => Mapped(list.Item, i, map))]),
        (MapOption free, _) => OptionCollections.Map(
            free, [.. OptionCollections.Entries(free, value).Select(e => KeyValuePair.Create(e.Key, Mapped(free.Value, e.Value, map)))]),
        _ => value,
    };

    private static string Leaf(OptionType type, object? value) => (type, value) switch
    {
        (ListOption, _) when value is not null => "[]",
        (MapOption, _) when value is not null => "{}",
        (ReferenceOption, _) or (_, null) => "null",
        (BooleanOption, bool truth) => truth ? "true" : "false",
        (EnumOption words, _) => words.Values.First(v => v.Value.Equals(value)).Key,
        (TextOption, string text) => Quoted(text),
        (_, float number) => number.ToString("R", CultureInfo.InvariantCulture),
        (_, double number) => number.ToString("R", CultureInfo.InvariantCulture),
        (_, var other) => Convert.ToString(other, CultureInfo.InvariantCulture)!,
    };

    private static string Quoted(string text) => JsonSerializer.Serialize(text);

    private sealed class Walk(Func<OptionReference, string> reference, Action<string, object> component)
    {
        internal List<KeyValuePair<string, string>> Entries { get; } = [];

        internal void Record(object value, string path)
        {
            foreach (var property in OptionRecord.Of(value.GetType()).Properties)
            {
                Value(property.Type, property.Property.GetValue(value), path.Length == 0 ? property.Key : $"{path}.{property.Key}");
            }
        }

        private void Value(OptionType type, object? value, string path)
        {
            switch (type)
            {
                case RecordOption when value is not null:
                    Record(value, path);
                    break;
                case ComponentOption when value is not null:
                    component(path, value);
                    Entries.Add(new(path, ComponentCatalogs.NameOf(value)));
                    Record(value, path);
                    break;
                case ListOption list when OptionCollections.Items(value).Any():
                    var index = 0;
                    foreach (var item in OptionCollections.Items(value))
                    {
                        Value(list.Item, item, string.Create(CultureInfo.InvariantCulture, $"{path}[{index++:D4}]"));
                    }

                    break;
                case MapOption map when OptionCollections.Entries(map, value).Any():
                    foreach (var (key, item) in OptionCollections.Entries(map, value))
                    {
                        Value(map.Value, item, $"{path}[{Quoted(key)}]");
                    }

                    break;
                case ReferenceOption { Kind: var kind } when OptionReference.NameOf(value) is { } name:
                    Entries.Add(new(path, reference(new(path, kind, name))));
                    break;
                default:
                    Entries.Add(new(path, Leaf(type, value)));
                    break;
            }
        }
    }
}
