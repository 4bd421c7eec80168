using System.Collections.Immutable;
using Build.ML.Abstractions.Selection;
using Build.ML.Abstractions.Techniques;
using Build.ML.Graph;
using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Ir;

namespace Build.ML.Pruning;

/// <summary>A layer to prune.</summary>
/// <param name="Node">The first node that reads the weight.</param>
/// <param name="Weight">Its weight.</param>
internal sealed record PrunableLayer(Node Node, PrunableWeight Weight);

/// <summary>Finds the layers that a technique prunes.</summary>
internal static class PrunableLayers
{
    /// <summary>For reports.</summary>
    public const string WhatZerosDo =
        "Zeros make the model smaller where it is compressed (gzip_size), not faster: ONNX Runtime's CPU kernels multiply by them all the same.";

    /// <summary>The layers chosen, and outcomes for those that are left.</summary>
    /// <exception cref="DiagnosticException">BML5401 and BML5402 of the selection, BML5406 no layer is left.</exception>
    public static (List<PrunableLayer> Layers, ImmutableArray<LayerOutcome>.Builder Outcomes) Find(
        Model model, ImmutableArray<string> opTypes, ImmutableArray<string> include, ImmutableArray<string> exclude)
    {
        var errors = opTypes.Where(o => !PrunableWeight.OpTypes.Contains(o))
            .Select(o => new Diagnostic(
                "BML5402", $"op_types names '{o}', which this technique does not prune. It knows {string.Join(", ", PrunableWeight.OpTypes)}."))
            .ToArray();
        if (errors.Length > 0)
        {
            throw new DiagnosticException(errors);
        }

        var selection = new LayerSelection(model, opTypes, include, exclude);
        var outcomes = ImmutableArray.CreateBuilder<LayerOutcome>();
        var layers = new List<PrunableLayer>();
        var taken = new HashSet<Value>();
        foreach (var node in model.AllNodes)
        {
            if (PrunableWeight.Of(node) is not { } weight || !taken.Add(weight.Value))
            {
                continue;
            }

            if (selection.ReasonToLeave(node) is { } reason)
            {
                outcomes.Add(new(NameOf(node), node.OpType, "left", reason, []));
                continue;
            }

            layers.Add(new(node, weight));
        }

        return layers.Count > 0 ? (layers, outcomes) : throw new DiagnosticException(
            "BML5406",
            $"No layer was pruned: the model has {outcomes.Count} layers with constant float weights, and the selection leaves all of them. "
            + "Remove the step or widen its selection.");
    }

    /// <summary>How reports name a layer.</summary>
    public static string NameOf(Node node) => node.Name.Length > 0 ? node.Name : node.Outputs[0].Name;
}
