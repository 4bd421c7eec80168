using Build.ML.Graph.Catalogs;

namespace Build.ML.Abstractions.Techniques;

/// <summary>Names a technique as recipes do in <c>use:</c>, for example <c>prune.magnitude</c>.</summary>
/// <param name="name">Family and method, lower case, joined by a dot.</param>
public sealed class TechniqueAttribute(string name) : CatalogAttribute(name)
{
    /// <summary>
    /// Whether the technique tries candidates against the recipe's gates with <see cref="StepContext.CheckGates"/>. What gates and evaluation say then enters the step's
    /// fingerprint. Default false.
    /// </summary>
    public bool ChecksGates { get; init; }

    /// <inheritdoc/>
    public override Type EntryType => typeof(ITechnique);
}
