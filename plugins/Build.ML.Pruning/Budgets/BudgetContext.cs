using System.Collections.Immutable;
using Build.ML.Abstractions.Data;
using Build.ML.Abstractions.References;
using Build.ML.Abstractions.Techniques;
using Build.ML.Calibration;
using Build.ML.Graph;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;

namespace Build.ML.Pruning.Budgets;

/// <summary>A layer that gets zeros.</summary>
/// <param name="Name">As reports name it.</param>
/// <param name="Node">The first node that reads the weight.</param>
/// <param name="Weight">A float constant.</param>
public sealed record BudgetLayer(string Name, Node Node, Value Weight)
{
    /// <summary>The constant.</summary>
    public Tensor Tensor => Weight.Constant!;

    /// <summary>Number of weights.</summary>
    public long Count => Tensor.Count;
}

/// <summary>What a <see cref="SparsityBudget"/> shares out, and with what it may find out how.</summary>
/// <param name="Model">The model before it is pruned; not to be changed.</param>
/// <param name="Layers">Its layers that get zeros.</param>
/// <param name="Zeros">How many in all.</param>
/// <param name="Data">Calibration data of the technique, or null where it has none.</param>
/// <param name="Step">Inference, data, seed, cores.</param>
public sealed record BudgetContext(Model Model, ImmutableArray<BudgetLayer> Layers, long Zeros, DataReference? Data, StepContext Step)
{
    /// <summary>Weights of all layers.</summary>
    public long Count => Layers.Sum(l => l.Count);

    /// <summary>Samples of the data that the technique uses.</summary>
    public int Samples { get; init; }

    /// <summary>The samples of the data that the technique uses.</summary>
    /// <param name="own">Data named in the budget's own options, or null.</param>
    /// <exception cref="Build.ML.Graph.Diagnostics.DiagnosticException">BML5410: there is none.</exception>
    internal DataSet Read(DataReference? own) => (own ?? Data) is { } reference
        ? new FirstSamples(Step.Data(reference), own is null ? Samples : 0)
        : throw new Graph.Diagnostics.DiagnosticException("BML5410", "The budget measures layers on data, and neither it nor the technique names any. Add 'data' to the budget.");

    /// <summary>Zeros of each layer: of a budget as many in all as asked for, without one the same fraction of each.</summary>
    internal static IReadOnlyList<long> Allocate(
        SparsityBudget? budget, Model model, IReadOnlyList<PrunableLayer> layers, double sparsity, DataReference? data, int samples, StepContext step)
    {
        if (budget is null or UniformBudget)
        {
            return [.. layers.Select(l => (long)Math.Round(l.Weight.Tensor.Count * sparsity))];
        }

        ImmutableArray<BudgetLayer> found = [.. layers.Select(l => new BudgetLayer(PrunableLayers.NameOf(l.Node), l.Node, l.Weight.Value))];
        var context = new BudgetContext(model, found, (long)Math.Round(found.Sum(l => l.Count) * sparsity), data, step) { Samples = samples };
        return Round(budget.Allocate(context), [.. found.Select(l => l.Count)], context.Zeros);
    }

    /// <summary>Whole numbers with a given sum: each rounded down, those with the greatest fractions then up.</summary>
    /// <param name="shares">Numbers whose sum is about <paramref name="sum"/>.</param>
    /// <param name="limits">What each may be at most.</param>
    /// <param name="sum">The sum, at most that of the limits.</param>
    internal static long[] Round(IReadOnlyList<double> shares, IReadOnlyList<long> limits, long sum)
    {
        var result = new long[shares.Count];
        for (var i = 0; i < result.Length; i++)
        {
            result[i] = (long)Math.Clamp(Math.Floor(shares[i]), 0, limits[i]);
        }

        var order = Enumerable.Range(0, result.Length).OrderByDescending(i => shares[i] - result[i]).ToArray();
        for (var left = sum - result.Sum(); left != 0;)
        {
            foreach (var i in left > 0 ? order : Enumerable.Reverse(order))
            {
                if (left > 0 ? result[i] < limits[i] : result[i] > 0)
                {
                    var step = Math.Sign(left);
                    result[i] += step;
                    left -= step;
                    if (left == 0)
                    {
                        break;
                    }
                }
            }
        }

        return result;
    }
}
