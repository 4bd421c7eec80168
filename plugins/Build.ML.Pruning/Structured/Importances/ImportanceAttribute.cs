using Build.ML.Graph.Catalogs;

namespace Build.ML.Pruning.Structured.Importances;

/// <summary>Names an importance as recipes do in <c>importance:</c>.</summary>
/// <param name="name">Lower case, snake_case.</param>
public sealed class ImportanceAttribute(string name) : CatalogAttribute(name)
{
    /// <inheritdoc/>
    public override Type EntryType => typeof(Importance);
}
