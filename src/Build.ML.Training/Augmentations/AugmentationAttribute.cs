using Build.ML.Graph.Catalogs;

namespace Build.ML.Training.Augmentations;

/// <summary>Names an augmentation as recipes do in <c>augment: [ … ]</c>; a sealed record with it is all it takes to add one.</summary>
/// <param name="name">Lower case, snake_case.</param>
public sealed class AugmentationAttribute(string name) : CatalogAttribute(name)
{
    /// <inheritdoc/>
    public override Type EntryType => typeof(Augmentation);
}
