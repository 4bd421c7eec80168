namespace Build.ML.Graph.Catalogs;

/// <summary>Base of the attributes that put a class into a <see cref="Catalog{T}"/>.</summary>
/// <param name="name">Name the entry is found by; null takes the type's name.</param>
[AttributeUsage(AttributeTargets.Class, Inherited = false)]
public abstract class CatalogAttribute(string? name) : Attribute
{
    /// <summary>Name the entry is found by; null stands for the type's name.</summary>
    public string? Name { get; } = name;

    /// <summary>What a class with this attribute must be.</summary>
    public abstract Type EntryType { get; }
}
