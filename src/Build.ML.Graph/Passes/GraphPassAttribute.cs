using Build.ML.Graph.Catalogs;

namespace Build.ML.Graph.Passes;

/// <summary>Names a pass.</summary>
/// <param name="name">Lower case, words joined by hyphens, such as <c>fold-constants</c>.</param>
public sealed class GraphPassAttribute(string name) : CatalogAttribute(name)
{
    /// <summary>
    /// Place among the passes that run when none are named, lower first: 100 to 199 bring the model into one form, 200 compute and simplify, 300 fuse, 400
    /// share, 500 sweep up. 0, the default, for a pass that runs only when named.
    /// </summary>
    public int Order { get; init; }

    /// <inheritdoc/>
    public override Type EntryType => typeof(IGraphPass);
}
