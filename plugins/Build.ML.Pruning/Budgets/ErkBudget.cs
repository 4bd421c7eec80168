using System.ComponentModel;

namespace Build.ML.Pruning.Budgets;

/// <summary>
/// Erdős–Rényi-Kernel: a layer keeps a fraction proportional to the sum over the product of its sizes, (n_in + n_out + k_h + k_w) / (n_in·n_out·k_h·k_w), so that large layers become sparser than
/// small ones; one that would keep more than all of its weights keeps all (Evci et al. 2020, "Rigging the Lottery", arXiv 1911.11134, §3).
/// </summary>
[SparsityBudget("erk")]
[Description("Large layers become sparser than small ones, by the sum over the product of their sizes.")]
public sealed record ErkBudget : SparsityBudget
{
    /// <inheritdoc/>
    public override IReadOnlyList<double> Allocate(BudgetContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        var counts = context.Layers.Select(l => (double)l.Count).ToArray();
        var weights = context.Layers.Select(l => l.Count == 0 ? 0 : l.Tensor.Sizes.Sum(s => (double)s)).ToArray();
        var kept = Shares.Proportional(weights, counts, context.Count - context.Zeros);
        return [.. counts.Select((c, i) => c - kept[i])];
    }
}
