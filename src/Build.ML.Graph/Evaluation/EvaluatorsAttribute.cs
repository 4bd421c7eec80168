using Build.ML.Graph.Catalogs;

namespace Build.ML.Graph.Evaluation;

/// <summary>Puts an <see cref="EvaluatorTable"/> into the catalog of evaluators.</summary>
public sealed class EvaluatorsAttribute() : CatalogAttribute(null)
{
    /// <inheritdoc/>
    public override Type EntryType => typeof(EvaluatorTable);
}
