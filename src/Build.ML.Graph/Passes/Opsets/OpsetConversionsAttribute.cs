using Build.ML.Graph.Catalogs;

namespace Build.ML.Graph.Passes.Opsets;

/// <summary>Puts an <see cref="OpsetConversionTable"/> into the catalog of operator set conversions.</summary>
public sealed class OpsetConversionsAttribute() : CatalogAttribute(null)
{
    /// <inheritdoc/>
    public override Type EntryType => typeof(OpsetConversionTable);
}
