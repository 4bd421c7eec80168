using System.Collections.Immutable;
using Build.ML.Abstractions.Selection;
using Build.ML.Abstractions.Techniques;
using Build.ML.Graph;
using Build.ML.Graph.Coupling;
using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Ir;

namespace Build.ML.Pruning.Structured;

/// <summary>Finds the axes that a technique may prune.</summary>
internal static class PrunableAxes
{
    /// <summary>The axes of some kinds that can be cut and are chosen, and outcomes for those of these kinds that are left.</summary>
    /// <exception cref="DiagnosticException">BML5401 a pattern fits nothing, BML5406 no axis is left.</exception>
    public static (List<ChannelAxis> Axes, ImmutableArray<LayerOutcome> Left) Find(Model model, ChannelCoupling coupling, ImmutableArray<AxisKind> kinds, StructuredPruningOptions options)
    {
        var include = new LayerSelection(model, [], options.Include, []);
        var exclude = new LayerSelection(model, [], [], options.Exclude);
        var chosen = new List<ChannelAxis>();
        var left = ImmutableArray.CreateBuilder<LayerOutcome>();
        foreach (var axis in coupling.Axes.Where(a => kinds.Contains(a.Kind)))
        {
            var makers = Makers(axis);
            var reason = axis.Lock?.ToString()
                ?? makers.Select(exclude.ReasonToLeave).FirstOrDefault(r => r is not null)
                ?? (makers.All(m => include.ReasonToLeave(m) is not null) ? "not among include" : null);
            if (reason is null)
            {
                chosen.Add(axis);
            }
            else
            {
                left.Add(new(axis.Name, OpTypeOf(axis), "left", reason, [new("before", axis.Size)]));
            }
        }

        return chosen.Count > 0 ? (chosen, left.ToImmutable()) : throw new DiagnosticException("BML5406", NothingToPrune(kinds, left));
    }

    /// <summary>The operator that makes an axis, for reports.</summary>
    public static string OpTypeOf(ChannelAxis axis) => Makers(axis)[0].OpType;

    // The layers whose names choose an axis: those that make it, where there are any.
    private static Node[] Makers(ChannelAxis axis)
    {
        Node[] makers = [.. axis.Places.Where(p => p.Role == AxisRole.Output).Select(p => p.Reader).Distinct()];
        return makers.Length > 0 ? makers : [.. axis.Places.Select(p => p.Reader).Distinct()];
    }

    private static string NothingToPrune(ImmutableArray<AxisKind> kinds, IReadOnlyCollection<LayerOutcome> left)
    {
        var what = string.Join(" or ", kinds).ToLowerInvariant();
        var why = string.Join("; ", left.Take(3).Select(l => $"'{l.Layer}': {l.Reason}"));
        return left.Count == 0
            ? $"Nothing was pruned: the model has no axis of {what}. `buildml inspect --coupling` shows its axes; remove the step, or use one that prunes what there is."
            : $"Nothing was pruned: all {left.Count} axes of {what} stay ({why}{(left.Count > 3 ? "; …" : "")}). `buildml inspect --coupling` shows why; widen the selection, or remove the step.";
    }
}
