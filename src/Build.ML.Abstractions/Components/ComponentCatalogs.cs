using System.Collections.Immutable;
using System.Reflection;
using Build.ML.Graph.Catalogs;
using Build.ML.Graph.Diagnostics;

namespace Build.ML.Abstractions.Components;

/// <summary>
/// The components that options can choose by name: sealed records with an attribute, grouped by their kind, the abstract record that the
/// attribute names. A component
/// is its own options record. No kind is listed anywhere: an abstract record with a <see cref="CatalogAttribute"/> of its own is one.
/// </summary>
public sealed class ComponentCatalogs
{
    private readonly ImmutableArray<KeyValuePair<Type, Catalog<object>>> _kinds;

    private ComponentCatalogs(ImmutableArray<KeyValuePair<Type, Catalog<object>>> kinds) => _kinds = kinds;

    /// <summary>Kinds that have members, with these, ordered by the kind's name.</summary>
    public IReadOnlyList<KeyValuePair<Type, Catalog<object>>> Kinds => _kinds;

    /// <summary>Finds all components.</summary>
    /// <param name="assemblies">Where to look.</param>
    /// <exception cref="DiagnosticException">The violations of all kinds, see <see cref="Catalog{T}.Scan"/>.</exception>
    public static ComponentCatalogs Scan(params IReadOnlyCollection<Assembly> assemblies)
    {
        ArgumentNullException.ThrowIfNull(assemblies);
        var errors = new List<Diagnostic>();
        var kinds = ImmutableArray.CreateBuilder<KeyValuePair<Type, Catalog<object>>>();
        foreach (var kind in KindsIn(assemblies))
        {
            try
            {
                kinds.Add(KeyValuePair.Create(kind, Catalog<object>.ScanFor(kind, assemblies)));
            }
            catch (DiagnosticException e)
            {
                errors.AddRange(e.Diagnostics);
            }
        }

        return errors.Count == 0 ? new(kinds.ToImmutable()) : throw new DiagnosticException([.. errors.Distinct()]);
    }

    /// <summary>The members of a kind; null where there are none.</summary>
    public Catalog<object>? Of(Type kind)
    {
        foreach (var (known, members) in _kinds)
        {
            if (known == kind)
            {
                return members;
            }
        }

        return null;
    }

    /// <summary>
    /// Whether a type is a kind: an abstract record that an attribute beside it (in the same assembly) names as
    /// <see cref="CatalogAttribute.EntryType"/>.
    /// </summary>
    public static bool IsKind(Type type)
    {
        ArgumentNullException.ThrowIfNull(type);
        return IsAbstractRecord(type) && type.Assembly.GetTypes().Any(a => IsAttribute(a) && EntryTypeOf(a) == type);
    }

    /// <summary>For messages: <c>LearningRateSchedule</c> is <c>learning rate schedule</c>.</summary>
    public static string WordFor(Type kind)
    {
        ArgumentNullException.ThrowIfNull(kind);
        return SnakeCase.Of(kind.Name).Replace('_', ' ');
    }

    /// <summary>The name by which a component is chosen.</summary>
    /// <param name="component">A sealed record with its kind's attribute.</param>
    public static string NameOf(object component)
    {
        ArgumentNullException.ThrowIfNull(component);
        return component.GetType().GetCustomAttribute<CatalogAttribute>(false)?.Name ?? component.GetType().Name;
    }

    private static IEnumerable<Type> KindsIn(IEnumerable<Assembly> assemblies) => assemblies.Distinct()
        .SelectMany(TypesOf)
        .SelectMany(t => t.GetCustomAttributes<CatalogAttribute>(false))
        .Select(a => a.EntryType)
        .Where(IsAbstractRecord)
        .Distinct()
        .OrderBy(k => k.FullName, StringComparer.Ordinal);

    // Types that do not load are reported by the catalogs of techniques, readers and metrics, which read the same assemblies.
    private static IEnumerable<Type> TypesOf(Assembly assembly)
    {
        try
        {
            return assembly.GetTypes();
        }
        catch (ReflectionTypeLoadException e)
        {
            return e.Types.OfType<Type>();
        }
    }

    // The compiler gives every record, and nothing else, a method of this name, which no other name in C# can be.
    private static bool IsAbstractRecord(Type type) => type is { IsClass: true, IsAbstract: true } && type.GetMethod("<Clone>$") is not null;

    private static bool IsAttribute(Type type) => !type.IsAbstract && !type.ContainsGenericParameters && type.IsSubclassOf(typeof(CatalogAttribute));

    // What an attribute names is a constant of its class, which needs no arguments.
    private static Type EntryTypeOf(Type attribute) =>
        ((CatalogAttribute)System.Runtime.CompilerServices.RuntimeHelpers.GetUninitializedObject(attribute)).EntryType;
}
