using System.Collections.Immutable;

namespace Build.ML.Recipes.Options;

/// <summary>What values an option takes: the one description that binding, canonical text and JSON Schema work from.</summary>
/// <param name="ClrType">The .NET type, without <c>Nullable</c>.</param>
/// <param name="AllowsNull">Whether the option may be <c>null</c>.</param>
public abstract record OptionType(Type ClrType, bool AllowsNull);

/// <summary><c>true</c> or <c>false</c>.</summary>
/// <param name="ClrType">The .NET type, without <c>Nullable</c>.</param>
/// <param name="AllowsNull">Whether the option may be <c>null</c>.</param>
public sealed record BooleanOption(Type ClrType, bool AllowsNull) : OptionType(ClrType, AllowsNull);

/// <summary>A whole number of a .NET integer type.</summary>
/// <param name="ClrType">The .NET type, without <c>Nullable</c>.</param>
/// <param name="AllowsNull">Whether the option may be <c>null</c>.</param>
/// <param name="Minimum">Least value of the type.</param>
/// <param name="Maximum">Greatest value of the type.</param>
public sealed record IntegerOption(Type ClrType, bool AllowsNull, Int128 Minimum, Int128 Maximum) : OptionType(ClrType, AllowsNull);

/// <summary>A <c>float</c> or <c>double</c>.</summary>
/// <param name="ClrType">The .NET type, without <c>Nullable</c>.</param>
/// <param name="AllowsNull">Whether the option may be <c>null</c>.</param>
public sealed record NumberOption(Type ClrType, bool AllowsNull) : OptionType(ClrType, AllowsNull);

/// <summary>Text.</summary>
/// <param name="ClrType">The .NET type, without <c>Nullable</c>.</param>
/// <param name="AllowsNull">Whether the option may be <c>null</c>.</param>
public sealed record TextOption(Type ClrType, bool AllowsNull) : OptionType(ClrType, AllowsNull);

/// <summary>One of several words.</summary>
/// <param name="ClrType">The .NET type, without <c>Nullable</c>.</param>
/// <param name="AllowsNull">Whether the option may be <c>null</c>.</param>
/// <param name="Values">In the order of the .NET enum, by their recipe spelling.</param>
public sealed record EnumOption(Type ClrType, bool AllowsNull, ImmutableArray<KeyValuePair<string, object>> Values) : OptionType(ClrType, AllowsNull);

/// <summary>What a reference names.</summary>
public enum ReferenceKind
{
    /// <summary>An entry of <c>data:</c>.</summary>
    Data,

    /// <summary><c>model</c> or a step.</summary>
    Model,

    /// <summary>An entry of <c>metrics:</c> under <c>evaluate:</c>.</summary>
    Metric,

    /// <summary>A file or folder.</summary>
    File,
}

/// <summary>A name of something else.</summary>
/// <param name="ClrType">The .NET type, without <c>Nullable</c>.</param>
/// <param name="AllowsNull">Whether the option may be <c>null</c>.</param>
/// <param name="Kind">What it names.</param>
public sealed record ReferenceOption(Type ClrType, bool AllowsNull, ReferenceKind Kind) : OptionType(ClrType, AllowsNull);

/// <summary>A list: <c>ImmutableArray&lt;T&gt;</c> or <c>IReadOnlyList&lt;T&gt;</c>.</summary>
/// <param name="ClrType">The .NET type, without <c>Nullable</c>.</param>
/// <param name="AllowsNull">Whether the option may be <c>null</c>.</param>
/// <param name="Item">What each element is.</param>
public sealed record ListOption(Type ClrType, bool AllowsNull, OptionType Item) : OptionType(ClrType, AllowsNull);

/// <summary>Free keys and values of one type: <c>IReadOnlyDictionary&lt;string, T&gt;</c>.</summary>
/// <param name="ClrType">The .NET type, without <c>Nullable</c>.</param>
/// <param name="AllowsNull">Whether the option may be <c>null</c>.</param>
/// <param name="Value">What each value is.</param>
public sealed record MapOption(Type ClrType, bool AllowsNull, OptionType Value) : OptionType(ClrType, AllowsNull);

/// <summary>A nested record.</summary>
/// <param name="ClrType">The .NET type, without <c>Nullable</c>.</param>
/// <param name="AllowsNull">Whether the option may be <c>null</c>.</param>
public sealed record RecordOption(Type ClrType, bool AllowsNull) : OptionType(ClrType, AllowsNull);

/// <summary>One of several classes of a kind, chosen by name: <c>name</c> alone, or <c>{ use: name, … }</c> with the class's own options.</summary>
/// <param name="ClrType">The kind: an abstract record, see <see cref="Abstractions.Components.ComponentCatalogs"/>.</param>
/// <param name="AllowsNull">Whether the option may be <c>null</c>.</param>
public sealed record ComponentOption(Type ClrType, bool AllowsNull) : OptionType(ClrType, AllowsNull)
{
    /// <summary>The key that names the class.</summary>
    public const string Selector = "use";
}
