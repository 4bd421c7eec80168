using System.Collections.Immutable;
using Build.ML.Abstractions.Techniques;
using Build.ML.Calibration;
using Build.ML.Calibration.Hessians;
using Build.ML.Calibration.Layers;
using Build.ML.Graph;
using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Passes;
using Build.ML.Graph.Tensors;
using Build.ML.Pruning.Budgets;

namespace Build.ML.Pruning.Calibrated;

/// <summary>
/// Prunes a model layer by layer in the order of execution, each on what the layers before it give once they are pruned. What one group of layers multiplies is in memory at a time, pruned layers are
/// files: a step that was killed goes on at the layer where it was. Layers that calibration does not reach lose their weights of least magnitude.
/// </summary>
/// <param name="options">What is pruned, how much, on which data.</param>
/// <param name="pruner">How.</param>
/// <param name="context">Data, inference, folders, cores.</param>
internal sealed class LayerwisePruning(CalibratedPruningOptions options, GroupPruner pruner, StepContext context)
{
    /// <summary>Prunes.</summary>
    /// <param name="model">Changed.</param>
    /// <exception cref="DiagnosticException">BML5406 nothing to prune, BML5407 and BML5430 the data.</exception>
    public StepResult Apply(Model model)
    {
        PassPipeline.Of(["constants-to-initializers"]).Run(model); // a pruned layer's weight is replaced while the model runs
        new RemoveInitializerInputs().Run(model);
        var (found, outcomes) = PrunableLayers.Find(model, options.OpTypes, options.Include, options.Exclude);
        var budget = BudgetContext.Allocate(options.Budget, model, found, options.Sparsity, options.Data, options.Samples, context);
        var (targets, unseen) = Targets(found, budget);
        var (groups, unreached) = InputGroup.Of(model, targets.Values.Select(t => t.Layer));
        using var store = new LayerStore<PrunedLayer>(context, static (layer, stream) => layer.Write(stream), PrunedLayer.Read);
        Prune(model, groups, targets, store);

        // The files of the store end with this step, the model does not.
        var finished = new ScratchFile(context.ScratchDirectory);
        foreach (var layer in groups.SelectMany(g => g.Layers))
        {
            var value = found[layer.Index].Weight.Value;
            value.Graph.SetInitializer(value, finished.Append(Restored(store, layer)));
        }

        var reasons = unreached.ToDictionary(u => u.Layer.Index, u => u.Reason);
        for (var i = 0; i < found.Count; i++)
        {
            var (node, weight) = found[i];
            var reason = unseen.GetValueOrDefault(i) ?? reasons.GetValueOrDefault(i);
            ImmutableArray<KeyValuePair<string, double>> figures;
            if (reason is not null)
            {
                figures = MagnitudePruning.Prune(weight, SparsityPattern.Parse(options.Pattern), budget[i], context.Cancellation);
                reason = $"by magnitude: {reason}";
            }
            else
            {
                figures = [new("sparsity", SparsityOf(weight.Tensor)), .. store.Get(i).Figures];
            }

            outcomes.Add(new(PrunableLayers.NameOf(node), node.OpType, "pruned", reason ?? "", figures));
        }

        return new StepResult(model) { Layers = outcomes.ToImmutable(), Notes = [PrunableLayers.WhatZerosDo] };
    }

    private static Tensor Restored(LayerStore<PrunedLayer> store, NumberedLayer layer) => store.Restored(
        layer, solution => layer.Layer.Restore((row, numbers) => solution.Weights.AsSpan(row * layer.Layer.Columns, layer.Layer.Columns).CopyTo(numbers)));

    private static double SparsityOf(Tensor tensor)
    {
        using var view = tensor.Read<float>();
        return view.Span.Length == 0 ? 0 : (double)view.Span.Count(0f) / view.Span.Length;
    }

    // Layers whose weights are matrices for the inputs that they multiply; and the others, with the reason.
    private (Dictionary<int, LayerTarget> Targets, Dictionary<int, string> Unseen) Targets(List<PrunableLayer> found, IReadOnlyList<long> budget)
    {
        var targets = new Dictionary<int, LayerTarget>();
        var unseen = new Dictionary<int, string>();
        for (var i = 0; i < found.Count; i++)
        {
            var (node, weight) = found[i];
            var reason = node.OpType == "ConvTranspose" ? "calibration does not look into transposed convolutions"
                : node.OpType != "Conv" && weight.Tensor.Rank != 2 ? $"its weight has {weight.Tensor.Rank} dimensions, calibration knows matrices"
                : node.OpType == "Gemm" && node.Int("transA", 0) != 0 ? "its first operand is transposed"
                : weight.Tensor.Count == 0 ? "its weight is empty"
                : null;
            if (reason is not null)
            {
                unseen.Add(i, reason);
                continue;
            }

            var layer = new WeightLayer([new(node, 1)], weight.Value, node.OpType != "Conv" && weight.ReductionAxis == 0, DataType.Float);
            var channels = (int)weight.Tensor.Sizes[weight.ReductionAxis];
            var groups = SparsityPattern.Parse(options.Pattern) is var (keep, of) ? new ColumnGroups(keep, of, channels, layer.Columns / channels) : null;
            targets.Add(i, new(new(i, layer), budget[i], groups));
        }

        return (targets, unseen);
    }

    private void Prune(Model model, ImmutableArray<InputGroup> groups, Dictionary<int, LayerTarget> targets, LayerStore<PrunedLayer> store)
    {
        if (groups.All(g => g.Layers.All(l => store.Has(l.Index))))
        {
            return;
        }

        using var inputs = new SequentialInputs(model, new FirstSamples(context.Data(options.Data), options.Samples), withExact: false, context);
        var layers = groups.Sum(g => g.Layers.Length);
        var done = 0;
        foreach (var group in groups)
        {
            context.Cancellation.ThrowIfCancellationRequested();
            context.Progress.Report(new((double)done / layers, $"layer {done + 1}/{layers} {group.Layers[0].Layer.Name}"));
            LayerTarget[] pending = [.. group.Layers.Where(l => !store.Has(l.Index)).Select(l => targets[l.Index])];
            if (pending.Length > 0)
            {
                pruner.Prune(group, inputs.Of(group).Select(a => a.Actual), pending, context, (layer, pruned) => store.Add(layer.Index, pruned));
            }
            else
            {
                inputs.Skip(group);
            }

            foreach (var layer in group.Layers)
            {
                layer.Layer.Weight.Graph.SetInitializer(layer.Layer.Weight, Restored(store, layer));
            }

            done += group.Layers.Length;
        }
    }
}
