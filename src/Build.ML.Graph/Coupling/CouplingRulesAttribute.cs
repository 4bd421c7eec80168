using Build.ML.Graph.Catalogs;

namespace Build.ML.Graph.Coupling;

/// <summary>Puts a <see cref="CouplingRuleTable"/> into the catalog of coupling rules.</summary>
public sealed class CouplingRulesAttribute() : CatalogAttribute(null)
{
    /// <inheritdoc/>
    public override Type EntryType => typeof(CouplingRuleTable);
}
