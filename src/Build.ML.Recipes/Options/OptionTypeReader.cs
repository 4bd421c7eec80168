using System.Collections.Immutable;
using System.Reflection;
using Build.ML.Abstractions;
using Build.ML.Abstractions.Components;
using Build.ML.Abstractions.References;

namespace Build.ML.Recipes.Options;

/// <summary>.NET types to option types.</summary>
internal static class OptionTypeReader
{
    internal static OptionType Read(Type type, bool nullable, PropertyInfo owner)
    {
        if (Nullable.GetUnderlyingType(type) is { } underlying)
        {
            return Read(underlying, true, owner);
        }

        if (type.IsEnum)
        {
            return new EnumOption(type, nullable, [.. Enum.GetNames(type).Select(n => KeyValuePair.Create(SnakeCase.Of(n), Enum.Parse(type, n)))]);
        }

        return Integer(type, nullable)
            ?? (type == typeof(bool) ? new BooleanOption(type, nullable)
            : type == typeof(double) || type == typeof(float) ? new NumberOption(type, nullable)
            : type == typeof(string) ? new TextOption(type, nullable)
            : type == typeof(DataReference) ? new ReferenceOption(type, nullable, ReferenceKind.Data)
            : type == typeof(ModelReference) ? new ReferenceOption(type, nullable, ReferenceKind.Model)
            : type == typeof(MetricReference) ? new ReferenceOption(type, nullable, ReferenceKind.Metric)
            : type == typeof(FileReference) ? new ReferenceOption(type, nullable, ReferenceKind.File)
            : ComponentCatalogs.IsKind(type) ? new ComponentOption(type, nullable)
            : Collection(type, nullable, owner) ?? Record(type, nullable, owner));
    }

    private static IntegerOption? Integer(Type type, bool nullable) => Type.GetTypeCode(type) switch
    {
        TypeCode.SByte => new(type, nullable, sbyte.MinValue, sbyte.MaxValue),
        TypeCode.Byte => new(type, nullable, byte.MinValue, byte.MaxValue),
        TypeCode.Int16 => new(type, nullable, short.MinValue, short.MaxValue),
        TypeCode.UInt16 => new(type, nullable, ushort.MinValue, ushort.MaxValue),
        TypeCode.Int32 => new(type, nullable, int.MinValue, int.MaxValue),
        TypeCode.UInt32 => new(type, nullable, uint.MinValue, uint.MaxValue),
        TypeCode.Int64 => new(type, nullable, long.MinValue, long.MaxValue),
        TypeCode.UInt64 => new(type, nullable, ulong.MinValue, ulong.MaxValue),
        _ => null,
    };

    private static OptionType? Collection(Type type, bool nullable, PropertyInfo owner)
    {
        if (!type.IsGenericType)
        {
            return null;
        }

        var definition = type.GetGenericTypeDefinition();
        var arguments = type.GetGenericArguments();
        return definition == typeof(ImmutableArray<>) || definition == typeof(IReadOnlyList<>) ? new ListOption(type, nullable, Read(arguments[0], false, owner))
            : definition == typeof(IReadOnlyDictionary<,>) && arguments[0] == typeof(string)
                ? new MapOption(type, nullable, Read(arguments[1], false, owner))
            : null;
    }

    private static RecordOption Record(Type type, bool nullable, PropertyInfo owner) =>
        type is { IsClass: true, IsAbstract: false } && type != typeof(object) && !typeof(System.Collections.IEnumerable).IsAssignableFrom(type)
            ? new(type, nullable)
            : throw OptionRecord.Unsupported(
                owner.DeclaringType!,
                $"'{owner.Name}' is a {type.Name}; use bool, a number, string, an enum, a reference, a record, an abstract record that an attribute beside it names as its kind, ImmutableArray<T>, IReadOnlyList<T> or IReadOnlyDictionary<string, T>");
}
