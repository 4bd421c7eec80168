using System.Collections.Immutable;
using System.ComponentModel.DataAnnotations;
using System.Reflection;
using System.Runtime.CompilerServices;
using Build.ML.Abstractions;
using Build.ML.Graph.Diagnostics;

namespace Build.ML.Recipes.Options;

/// <summary>The options of a technique, reader or metric, read from its record by reflection: public properties that can be initialised.</summary>
public sealed class OptionRecord
{
    // What is true of a type stays true: a memo, without which a plan of a thousand steps spends its time in reflection. Types keep their entries alive, not
    // the other way round.
    private static readonly ConditionalWeakTable<Type, OptionRecord> Known = [];

    private readonly ConstructorInfo _constructor;
    private readonly ImmutableArray<OptionProperty?> _parameters;

    private OptionRecord(Type type, ConstructorInfo constructor, ImmutableArray<OptionProperty> properties)
    {
        (Type, _constructor, Properties) = (type, constructor, properties);
        _parameters = [.. constructor.GetParameters().Select(p => properties.FirstOrDefault(o => o.Parameter == p))];
    }

    /// <summary>The record.</summary>
    public Type Type { get; }

    /// <summary>Its options, ordered by key.</summary>
    public ImmutableArray<OptionProperty> Properties { get; }

    /// <summary>Reads a record's options.</summary>
    /// <exception cref="DiagnosticException">BML3020: the record has a shape that recipes cannot express; a mistake of the plugin's author.</exception>
    public static OptionRecord Of(Type type)
    {
        ArgumentNullException.ThrowIfNull(type);
        return Known.GetValue(type, Describe);
    }

    private static OptionRecord Describe(Type type)
    {
        var constructor = type.GetConstructor(Type.EmptyTypes)
            ?? type.GetConstructors().OrderByDescending(c => c.GetParameters().Length).FirstOrDefault()
            ?? throw Unsupported(type, "it has no public constructor");
        var parameters = constructor.GetParameters();
        var defaults = constructor.Invoke([.. parameters.Select(p => DefaultOf(p))]); // records only store: nulls do no harm
        var nullability = new NullabilityInfoContext();
        var properties = new List<OptionProperty>();
        foreach (var property in type.GetProperties(BindingFlags.Public | BindingFlags.Instance))
        {
            var parameter = parameters.FirstOrDefault(p => string.Equals(p.Name, property.Name, StringComparison.OrdinalIgnoreCase));
            if (property.GetIndexParameters().Length == 0 && (parameter is not null || property.SetMethod is { IsPublic: true }))
            {
                properties.Add(Describe(property, parameter, defaults, nullability));
            }
        }

        if (parameters.FirstOrDefault(p => properties.All(o => o.Parameter != p)) is { } orphan)
        {
            throw Unsupported(type, $"its constructor's parameter '{orphan.Name}' has no property of that name");
        }

        return new(type, constructor, [.. properties.OrderBy(p => p.Key, StringComparer.Ordinal)]);
    }

    /// <summary>Makes a record.</summary>
    /// <param name="values">Values by option; missing ones take their defaults.</param>
    internal object Create(IReadOnlyDictionary<OptionProperty, object?> values)
    {
        var arguments = _parameters.Select(p => values.TryGetValue(p!, out var value) ? value : p!.Default);
        var record = _constructor.Invoke([.. arguments]);
        foreach (var (option, value) in values)
        {
            if (option.Parameter is null)
            {
                option.Property.SetValue(record, value);
            }
        }

        return record;
    }

    /// <summary>Refuses a record with options of names that mean something else where it stands.</summary>
    /// <exception cref="DiagnosticException">BML3020.</exception>
    internal static void Reject(Type type, IReadOnlyCollection<string> reserved)
    {
        if (Of(type).Properties.FirstOrDefault(p => reserved.Contains(p.Key)) is { } taken)
        {
            throw Unsupported(type, $"the name of its option '{taken.Key}' is taken where it stands");
        }
    }

    private static OptionProperty Describe(PropertyInfo property, ParameterInfo? parameter, object defaults, NullabilityInfoContext nullability)
    {
        var nullable = nullability.Create(property).ReadState == NullabilityState.Nullable;
        var type = OptionTypeReader.Read(property.PropertyType, nullable, property);
        var value = parameter is null ? property.GetValue(defaults)
            : parameter.HasDefaultValue ? DefaultOf(parameter)
            : null;
        var required = property.IsDefined(typeof(RequiredMemberAttribute)) || property.IsDefined(typeof(RequiredAttribute))
            || parameter is { HasDefaultValue: false }
            || (!type.AllowsNull && !HasValue(type, value));
        var checks = property.GetCustomAttributes<ValidationAttribute>(true).Concat(parameter?.GetCustomAttributes<ValidationAttribute>(true) ?? []);
        return new(SnakeCase.Of(property.Name), property, type, required, required ? null : Completed(type, value), [.. checks]) { Parameter = parameter };
    }

    // The compiler writes "default" of a struct as null and of an enum as its number.
    private static object? DefaultOf(ParameterInfo parameter)
    {
        var type = Nullable.GetUnderlyingType(parameter.ParameterType) ?? parameter.ParameterType;
        return (parameter.HasDefaultValue ? parameter.DefaultValue : null) switch
        {
            null when parameter.ParameterType is { IsValueType: true } struct_ && Nullable.GetUnderlyingType(struct_) is null => Activator.CreateInstance(struct_),
            { } value when type.IsEnum => Enum.ToObject(type, value),
            var value => value,
        };
    }

    // A list that nothing initialises is empty; a reference or text that nothing initialises is missing.
    private static bool HasValue(OptionType type, object? value) => type switch
    {
        ReferenceOption => OptionReference.NameOf(value) is not null,
        ListOption or MapOption => true,
        _ => value is not null,
    };

    private static object? Completed(OptionType type, object? value) =>
        !type.AllowsNull && type is ListOption or MapOption && OptionCollections.IsMissing(value) ? OptionCollections.Empty(type) : value;

    internal static DiagnosticException Unsupported(Type type, string why) => new(
        "BML3020", $"Options record {type.FullName} of {type.Assembly.GetName().Name} cannot be read from a recipe: {why}. The plugin's author must change it.");
}
