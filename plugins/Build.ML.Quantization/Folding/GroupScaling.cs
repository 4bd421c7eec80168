using System.Collections.Immutable;
using Build.ML.Abstractions.References;
using Build.ML.Abstractions.Techniques;
using Build.ML.Calibration;
using Build.ML.Calibration.Layers;
using Build.ML.Graph;
using Build.ML.Graph.Ir;

namespace Build.ML.Quantization.Folding;

/// <summary>Scales chosen for a group.</summary>
/// <param name="Scales">One a channel, equal where channels are tied.</param>
/// <param name="Figures">What the report says of them.</param>
internal sealed record ScaleChoice(float[] Scales, ImmutableArray<KeyValuePair<string, double>> Figures);

/// <summary>What became of a layer's group.</summary>
/// <param name="Fold">Where its scales go, or null where calibration does not see the group.</param>
/// <param name="Choice">Its scales, or null where it has none.</param>
/// <param name="Reason">Why it cannot have any; empty when it can.</param>
internal sealed record GroupScales(ScaleFold? Fold, ScaleChoice? Choice, string Reason)
{
    /// <summary>The line of a layer that stays float.</summary>
    public LayerOutcome OutcomeOf(WeightLayer layer) => Choice is not null
        ? new(layer.Name, layer.OpType, "scaled", $"scales in {Fold!.Target}", Choice.Figures)
        : new(layer.Name, layer.OpType, "left", Reason.Length > 0 ? $"not scaled: {Reason}" : "no scales lower its error", []);
}

/// <summary>Chooses scales for groups of layers one after the other on calibration data, then folds them all in: one streamed run, one group's figures in memory.</summary>
/// <param name="model">Types inferred; changed in place.</param>
/// <param name="mayInsert">Whether a product may be put before groups whose scales fit nowhere else.</param>
/// <param name="sampledRows">Rows of activations to keep of each group.</param>
/// <param name="context">Data, threads, seed, progress.</param>
internal sealed class GroupScaling(Model model, bool mayInsert, int sampledRows, StepContext context)
{
    /// <summary>Chooses and folds.</summary>
    /// <param name="layers">Matrix products.</param>
    /// <param name="data">Calibration data.</param>
    /// <param name="choose">Gets a group, what calibration says of its input, and which channels must share a scale; null for no scales.</param>
    /// <returns>By the layer's node what became of its group.</returns>
    public Dictionary<Node, GroupScales> Run(IEnumerable<WeightLayer> layers, DataReference data, Func<LayerGroup, GroupInputs, ChannelTies, ScaleChoice?> choose)
    {
        var rules = FoldWalk.AllRules();
        var groups = LayerGroup.Of(layers);
        var result = groups.SelectMany(g => g.Layers).ToDictionary(l => l.Node, _ => new GroupScales(null, null, "its input is inside a subgraph, which calibration does not see"));
        var order = GroupOrder.Of(model.Graph, groups.Where(g => g.Activation.Graph == model.Graph));
        using (var run = new StreamedExecution(model, context.Data(data), context))
        {
            for (var i = 0; i < order.Length; i++)
            {
                var (group, first) = order[i];
                context.Cancellation.ThrowIfCancellationRequested();
                context.Progress.Report(new(0.5 * i / order.Length, $"searching scales of {group.Name}"));
                var fold = ScaleFold.Find(group, rules, mayInsert);
                var scales = new GroupScales(fold, null, fold.IsPossible ? "" : fold.Reason);
                if (fold.IsPossible)
                {
                    using var inputs = GroupInputs.Observe(run, group, first, sampledRows, context);
                    scales = scales with { Choice = choose(group, inputs, fold.Ties) };
                }

                foreach (var layer in group.Layers)
                {
                    result[layer.Node] = scales;
                }
            }
        }

        // Folding changes nodes that ran: only now.
        foreach (var scales in result.Values.Where(s => s.Choice is not null).DistinctBy(s => s.Fold))
        {
            scales.Fold!.Apply(scales.Choice!.Scales);
        }

        return result;
    }
}
