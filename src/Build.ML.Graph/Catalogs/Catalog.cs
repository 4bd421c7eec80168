using System.Collections;
using System.Collections.Immutable;
using System.Reflection;
using Build.ML.Graph.Diagnostics;

namespace Build.ML.Graph.Catalogs;

/// <summary>
/// All classes of one kind found in a set of assemblies: the one way anything is added to Build.ML. A class enters by carrying the
/// attribute of its kind; no list is kept anywhere. Built-in and third-party classes are found alike.
/// </summary>
/// <typeparam name="T">The kind: what each class implements.</typeparam>
public sealed class Catalog<T> : IReadOnlyCollection<CatalogEntry<T>>
    where T : class
{
    private readonly ImmutableSortedDictionary<string, CatalogEntry<T>> _entries;

    private Catalog(ImmutableSortedDictionary<string, CatalogEntry<T>> entries) => _entries = entries;

    /// <summary>Number of entries.</summary>
    public int Count => _entries.Count;

    /// <summary>Names in ordinal order.</summary>
    public IEnumerable<string> Names => _entries.Keys;

    /// <summary>Finds all classes of this kind.</summary>
    /// <param name="assemblies">Where to look.</param>
    /// <exception cref="DiagnosticException">
    /// All violations: BML3001 two classes of one name, BML3002 a class that is not sealed, BML3003 no public constructor without parameters,
    /// BML3004 an implementation without the attribute, BML3005 the attribute on a class that is not of the kind, BML3006 an assembly whose types
    /// cannot be loaded.
    /// </exception>
    public static Catalog<T> Scan(params IEnumerable<Assembly> assemblies) => ScanFor(typeof(T), assemblies);

    /// <summary>Finds all classes of a kind that is known only at run time.</summary>
    /// <param name="kind">What each class must be; derives from <typeparamref name="T"/>.</param>
    /// <param name="assemblies">Where to look.</param>
    /// <exception cref="DiagnosticException">As <see cref="Scan"/>.</exception>
    public static Catalog<T> ScanFor(Type kind, IEnumerable<Assembly> assemblies)
    {
        ArgumentNullException.ThrowIfNull(kind);
        ArgumentNullException.ThrowIfNull(assemblies);
        var errors = new List<Diagnostic>();
        var entries = ImmutableSortedDictionary.CreateBuilder<string, CatalogEntry<T>>(StringComparer.Ordinal);
        foreach (var assembly in assemblies.Distinct())
        {
            foreach (var type in TypesOf(assembly, errors))
            {
                if (Accept(kind, type, errors) is not { } name)
                {
                    continue;
                }

                if (entries.TryGetValue(name, out var other))
                {
                    errors.Add(new("BML3001", $"{Describe(type)} and {Describe(other.Type)} are both named '{name}'; rename one of them."));
                    continue;
                }

                entries.Add(name, new CatalogEntry<T>(name, type));
            }
        }

        return errors.Count == 0 ? new Catalog<T>(entries.ToImmutable()) : throw new DiagnosticException(errors);
    }

    /// <summary>The entry of that name, or null.</summary>
    public CatalogEntry<T>? Find(string name) => _entries.GetValueOrDefault(name);

    /// <inheritdoc/>
    public IEnumerator<CatalogEntry<T>> GetEnumerator() => _entries.Values.GetEnumerator();

    /// <inheritdoc/>
    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    private static string? Accept(Type kind, Type type, List<Diagnostic> errors)
    {
        var attribute = type.GetCustomAttributes<CatalogAttribute>(false).FirstOrDefault(a => a.EntryType == kind);
        var isOfKind = kind.IsAssignableFrom(type) && type is { IsClass: true, IsAbstract: false };
        if (attribute is null)
        {
            if (isOfKind)
            {
                errors.Add(new("BML3004", $"{Describe(type)} is a {kind.Name} but lacks the attribute that names it; add it, or make the class abstract."));
            }

            return null;
        }

        var before = errors.Count;
        if (!isOfKind)
        {
            errors.Add(new("BML3005", $"{Describe(type)} carries {attribute.GetType().Name} but is no concrete {kind.Name}; derive it from that."));
        }

        if (!type.IsSealed)
        {
            errors.Add(new("BML3002", $"{Describe(type)} must be sealed."));
        }

        if (type.GetConstructor(Type.EmptyTypes) is null)
        {
            errors.Add(new("BML3003", $"{Describe(type)} needs a public constructor without parameters."));
        }

        return errors.Count == before ? attribute.Name ?? type.Name : null;
    }

    private static Type[] TypesOf(Assembly assembly, List<Diagnostic> errors)
    {
        try
        {
            return assembly.GetTypes();
        }
        catch (ReflectionTypeLoadException e)
        {
            foreach (var message in e.LoaderExceptions.OfType<Exception>().Select(l => l.Message).Distinct())
            {
                errors.Add(new("BML3006", $"Types of {assembly.GetName().Name} cannot be loaded: {message}", new(assembly.Location)));
            }

            return [];
        }
    }

    private static string Describe(Type type) => $"{type.FullName} of {type.Assembly.GetName().Name}";
}
