using Build.ML.Graph.Catalogs;

namespace Build.ML.Abstractions.Techniques;

/// <summary>Names a technique as recipes do in <c>use:</c>, for example <c>prune.magnitude</c>.</summary>
/// <param name="name">Family and method, lower case, joined by a dot.</param>
public sealed class TechniqueAttribute(string name) : CatalogAttribute(name)
{
    /// <inheritdoc/>
    public override Type EntryType => typeof(ITechnique);
}
