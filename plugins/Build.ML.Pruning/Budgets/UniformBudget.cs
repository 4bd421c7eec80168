using System.ComponentModel;

namespace Build.ML.Pruning.Budgets;

/// <summary>The same fraction of each layer.</summary>
[SparsityBudget("uniform")]
[Description("The same fraction of each layer.")]
public sealed record UniformBudget : SparsityBudget
{
    /// <inheritdoc/>
    public override IReadOnlyList<double> Allocate(BudgetContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        return [.. context.Layers.Select(l => l.Count * ((double)context.Zeros / context.Count))];
    }
}
