using System.Collections.Immutable;
using Build.ML.Abstractions.Selection;
using Build.ML.Abstractions.Techniques;
using Build.ML.Graph;
using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Ir;

namespace Build.ML.WeightSharing;

/// <summary>Finds the layers whose weights are to be shared, and how many bits each gets.</summary>
internal static class SharableLayers
{
    /// <summary>The layers chosen with their bits, and outcomes for those that are left.</summary>
    /// <exception cref="DiagnosticException">BML5401 and BML5402 of the selection, BML5406 no layer is left.</exception>
    public static (List<(SharableWeight Weight, int Bits)> Layers, ImmutableArray<LayerOutcome>.Builder Outcomes) Find(Model model, SharingOptions options)
    {
        var errors = options.OpTypes.Where(o => !SharableWeight.OpTypes.Contains(o))
            .Select(o => new Diagnostic("BML5402", $"op_types names '{o}', whose weights this technique does not share. It knows {string.Join(", ", SharableWeight.OpTypes)}."))
            .ToArray();
        if (errors.Length > 0)
        {
            throw new DiagnosticException(errors);
        }

        var selection = new LayerSelection(model, options.OpTypes, options.Include, options.Exclude);
        var groups = options.BitsOf.Select(g => (g.Bits, Selection: new LayerSelection(model, [], g.Layers, []))).ToArray();
        var outcomes = ImmutableArray.CreateBuilder<LayerOutcome>();
        var layers = new List<(SharableWeight, int)>();
        var taken = new HashSet<Value>();
        foreach (var node in model.AllNodes)
        {
            if (SharableWeight.Of(node) is not { } weight || !taken.Add(weight.Value))
            {
                continue;
            }

            if ((selection.ReasonToLeave(node) ?? (weight.Value.IsGraphOutput ? "the model returns its weight" : null)) is { } reason)
            {
                outcomes.Add(new(weight.Name, node.OpType, "left", reason, []));
                continue;
            }

            var group = Array.FindIndex(groups, g => g.Selection.ReasonToLeave(node) is null);
            layers.Add((weight, group < 0 ? options.Bits : groups[group].Bits));
        }

        return layers.Count > 0 ? (layers, outcomes) : throw new DiagnosticException(
            "BML5406",
            $"No weight was shared: the model has {outcomes.Count} layers with constant float weights, and the selection leaves all of them. Remove the step or widen its selection.");
    }
}
