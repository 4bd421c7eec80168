using Build.ML.Graph.Catalogs;

namespace Build.ML.Autodiff;

/// <summary>Puts a <see cref="GradientTable"/> into the catalog of gradient rules.</summary>
public sealed class GradientsAttribute() : CatalogAttribute(null)
{
    /// <inheritdoc/>
    public override Type EntryType => typeof(GradientTable);
}
