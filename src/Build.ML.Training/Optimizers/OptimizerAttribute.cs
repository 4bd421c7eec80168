using Build.ML.Graph.Catalogs;

namespace Build.ML.Training;

/// <summary>Names an optimizer as recipes do in <c>optimizer: { use: … }</c>.</summary>
/// <param name="name">Lower case, snake_case.</param>
public sealed class OptimizerAttribute(string name) : CatalogAttribute(name)
{
    /// <inheritdoc/>
    public override Type EntryType => typeof(Optimizer);
}
