using Build.ML.Graph.Catalogs;

namespace Build.ML.Graph.Shapes;

/// <summary>Puts a <see cref="ShapeRuleTable"/> into the catalog of shape rules.</summary>
public sealed class ShapeRulesAttribute() : CatalogAttribute(null)
{
    /// <inheritdoc/>
    public override Type EntryType => typeof(ShapeRuleTable);
}
