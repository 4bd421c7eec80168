using Build.ML.Graph.Catalogs;

namespace Build.ML.Pruning.Budgets;

/// <summary>How the zeros that a model is to get are shared out among its layers. A sealed record with <see cref="SparsityBudgetAttribute"/> adds one; its public properties are its options.</summary>
public abstract record SparsityBudget
{
    /// <summary>Shares out.</summary>
    /// <param name="context">Layers, how many zeros in all.</param>
    /// <returns>Zeros of each layer, 0 to its size; fractions of a weight are rounded so that the sum is exactly what was asked for.</returns>
    public abstract IReadOnlyList<double> Allocate(BudgetContext context);
}

/// <summary>Names a <see cref="SparsityBudget"/>.</summary>
/// <param name="name">As recipes write it.</param>
public sealed class SparsityBudgetAttribute(string name) : CatalogAttribute(name)
{
    /// <inheritdoc/>
    public override Type EntryType => typeof(SparsityBudget);
}
