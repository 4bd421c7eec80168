using System.Collections;
using System.Collections.Immutable;
using System.Reflection;

namespace Build.ML.Recipes.Options;

/// <summary>Makes and reads lists and maps of option types known only at run time.</summary>
internal static class OptionCollections
{
    internal static object Empty(OptionType type) => type is MapOption map ? Map(map, []) : List((ListOption)type, []);

    internal static object List(ListOption type, IReadOnlyList<object?> items) => Invoke(nameof(ArrayOf), ItemType(type.ClrType, 0), items);

    internal static object Map(MapOption type, IReadOnlyList<KeyValuePair<string, object?>> entries) =>
        Invoke(nameof(MapOf), ItemType(type.ClrType, 1), entries);

    /// <summary>Whether a list or map was never set: null, or an <see cref="ImmutableArray{T}"/> without an array.</summary>
    internal static bool IsMissing(object? value) =>
        value is null || (value.GetType() is { IsGenericType: true } type && type.GetGenericTypeDefinition() == typeof(ImmutableArray<>)
            && (bool)type.GetProperty(nameof(ImmutableArray<int>.IsDefault))!.GetValue(value)!);

    internal static IEnumerable<object?> Items(object? list) => IsMissing(list) ? [] : ((IEnumerable)list!).Cast<object?>();

    /// <summary>Entries of a map, by key.</summary>
    internal static IEnumerable<KeyValuePair<string, object?>> Entries(MapOption type, object? map) =>
        map is null ? [] : (IEnumerable<KeyValuePair<string, object?>>)Invoke(nameof(EntriesOf), ItemType(type.ClrType, 1), map);

    private static Type ItemType(Type collection, int argument) => collection.GetGenericArguments()[argument];

    private static object Invoke(string method, Type item, object argument) =>
        typeof(OptionCollections).GetMethod(method, BindingFlags.NonPublic | BindingFlags.Static)!.MakeGenericMethod(item).Invoke(null, [argument])!;

    private static object ArrayOf<T>(IReadOnlyList<object?> items) => ImmutableArray.CreateRange(items.Select(i => (T)i!));

    private static object MapOf<T>(IReadOnlyList<KeyValuePair<string, object?>> entries) =>
        entries.ToImmutableSortedDictionary(e => e.Key, e => (T)e.Value!, StringComparer.Ordinal);

    private static object EntriesOf<T>(IReadOnlyDictionary<string, T> map) =>
        map.OrderBy(e => e.Key, StringComparer.Ordinal).Select(e => KeyValuePair.Create(e.Key, (object?)e.Value)).ToArray();
}
