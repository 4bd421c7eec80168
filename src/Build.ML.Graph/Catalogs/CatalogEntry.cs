namespace Build.ML.Graph.Catalogs;

/// <summary>One class found by a <see cref="Catalog{T}"/>.</summary>
/// <param name="Name">Name it is found by.</param>
/// <param name="Type">The class; sealed, with a public constructor without parameters.</param>
public sealed record CatalogEntry<T>(string Name, Type Type)
    where T : class
{
    /// <summary>A new instance.</summary>
    public T Create() => (T)Activator.CreateInstance(Type)!;
}
