using Build.ML.Graph.Catalogs;

namespace Build.ML.Training;

/// <summary>Names a loss as recipes do in <c>losses: [ { use: … } ]</c>.</summary>
/// <param name="name">Lower case, snake_case.</param>
public sealed class LossAttribute(string name) : CatalogAttribute(name)
{
    /// <inheritdoc/>
    public override Type EntryType => typeof(Loss);
}
