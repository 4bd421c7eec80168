using Build.ML.Graph.Catalogs;

namespace Build.ML.Graph.Passes;

/// <summary>Names a pass.</summary>
/// <param name="name">Lower case, words joined by hyphens, such as <c>fold-constants</c>.</param>
public sealed class GraphPassAttribute(string name) : CatalogAttribute(name)
{
    /// <inheritdoc/>
    public override Type EntryType => typeof(IGraphPass);
}
