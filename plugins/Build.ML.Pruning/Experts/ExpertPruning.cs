using System.Collections.Immutable;
using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using Build.ML.Abstractions.References;
using Build.ML.Abstractions.Selection;
using Build.ML.Abstractions.Techniques;
using Build.ML.Calibration;
using Build.ML.Graph;
using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Passes;
using Build.ML.Graph.Shapes;
using Tensor = Build.ML.Graph.Tensors.Tensor;

namespace Build.ML.Pruning.Experts;

/// <summary>
/// Removes from each mixture of experts those that the router chooses least on calibration data (Lu et al. 2024, "Not All Experts are Equal", arXiv 2402.14800, compare it with searching; Chen et al. 2022,
/// "Task-Specific Expert Pruning for Sparse Mixture-of-Experts", arXiv 2206.00277): out of the experts' stacked weights and out of the router, so that tokens go to those that stay. Fewer bytes of weights,
/// the same time for a token.
/// </summary>
[Technique("prune.experts")]
[Description("Removes the experts that routers choose least on calibration data.")]
public sealed class ExpertPruning : Technique<ExpertPruning.Options>
{
    /// <summary>Options of <c>prune.experts</c>.</summary>
    public sealed record Options
    {
        /// <summary>Calibration data: inputs such as the model will meet; labels are not used.</summary>
        [Required]
        public required DataReference Data { get; init; }

        /// <summary>Samples of the data to use, the first ones. Default 0: all.</summary>
        [Range(0, int.MaxValue)]
        public int Samples { get; init; }

        /// <summary>Fraction of each layer's experts that goes, 0 to 1; the number is rounded to nearest, and as many stay as work on a token. Default 0.25.</summary>
        [Range(0d, 1d)]
        public double Sparsity { get; init; } = 0.25;

        /// <summary>What tells how much an expert counts: <c>frequency</c> (default) or <c>routing_weight</c>.</summary>
        public ExpertImportance Importance { get; init; } = ExpertImportance.Frequency;

        /// <summary>Globs over names of nodes, outputs and weights; only layers that fit one are pruned. Default all.</summary>
        public ImmutableArray<string> Include { get; init; } = [];

        /// <summary>Globs over names of nodes, outputs and weights; layers that fit one are left as they are. Default none.</summary>
        public ImmutableArray<string> Exclude { get; init; } = [];
    }

    /// <inheritdoc/>
    /// <exception cref="DiagnosticException">BML5411: there is no mixture of experts that can be cut. BML5405: scores are NaN.</exception>
    public override StepResult Apply(Model model, Options options, StepContext context)
    {
        PassPipeline.Of(["constants-to-initializers"]).Run(model);
        new RemoveInitializerInputs().Run(model);
        var selection = new LayerSelection(model, [], options.Include, options.Exclude);
        var outcomes = ImmutableArray.CreateBuilder<LayerOutcome>();
        var layers = new List<ExpertLayer>();
        foreach (var (node, layer, reason) in ExpertSearch.Find(model))
        {
            var left = layer is null ? reason : selection.ReasonToLeave(node);
            if (left is not null)
            {
                outcomes.Add(new(PrunableLayers.NameOf(node), node.OpType, "left", left, []));
            }
            else
            {
                layers.Add(layer!);
            }
        }

        if (layers.Count == 0)
        {
            var why = outcomes.Count == 0 ? "There is no com.microsoft MoE, and no TopK whose indices choose from stacked constants by Gather." : string.Join("; ", outcomes.Select(o => $"{o.Layer}: {o.Reason}"));
            throw new DiagnosticException("BML5411", $"No expert was removed. {why} Remove the step, or export the model with its experts stacked.");
        }

        var scores = Scores(model, layers, options, context);
        foreach (var layer in layers)
        {
            var score = scores[layer];
            var keep = Math.Max(layer.Experts - (int)Math.Round(layer.Experts * options.Sparsity), Math.Min(layer.Chosen, layer.Experts));
            int[] kept = [.. Enumerable.Range(0, layer.Experts).OrderByDescending(e => score[e]).Take(keep).Order()]; // stable: of equal ones the first stay
            layer.Keep(kept);
            var sum = score.Sum();
            outcomes.Add(new(
                PrunableLayers.NameOf(layer.Node), layer.Node.OpType, keep < layer.Experts ? "pruned" : "left", keep < layer.Experts ? "" : $"all of its {keep} experts stay",
                [new("experts_before", layer.Experts), new("experts", keep), new("kept_share", sum == 0 ? 1 : kept.Sum(e => score[e]) / sum)]));
        }

        ShapeInference.Refresh(model);
        return new StepResult(model)
        {
            Layers = outcomes.ToImmutable(),
            Notes = ["Fewer experts are fewer bytes; a token is worked on by as many as before, in the same time. kept_share is the part of what was routed that went to experts that stay."],
        };
    }

    private static Dictionary<ExpertLayer, double[]> Scores(Model model, List<ExpertLayer> layers, Options options, StepContext context)
    {
        var scores = layers.ToDictionary(l => l, l => new double[l.Experts]);
        using var run = new StreamedExecution(model, new FirstSamples(context.Data(options.Data), options.Samples), context);
        foreach (var layer in layers)
        {
            run.AdvanceTo(layer.Node);
            foreach (var tensor in run.Activations(layer.Scores))
            {
                context.Cancellation.ThrowIfCancellationRequested();
                Add(layer, tensor, options.Importance, scores[layer]);
            }
        }

        return scores;
    }

    private static void Add(ExpertLayer layer, Tensor tensor, ExpertImportance importance, double[] scores)
    {
        using var view = FloatView.Of(tensor);
        var weights = new double[layer.Experts];
        var order = new int[layer.Experts];
        for (var start = 0; start < view.Span.Length; start += layer.Experts)
        {
            var row = view.Span.Slice(start, layer.Experts);
            double greatest = double.NegativeInfinity, sum = 0;
            for (var e = 0; e < row.Length; e++)
            {
                (order[e], weights[e]) = (e, -row[e]);
                greatest = Math.Max(greatest, row[e]);
                if (float.IsNaN(row[e]))
                {
                    throw new DiagnosticException("BML5405", $"On the calibration data the router's scores '{layer.Scores.Name}' are NaN. Check the data, or exclude the layer.");
                }
            }

            Array.Sort(weights, order);
            for (var e = 0; e < row.Length; e++)
            {
                sum += Math.Exp(row[e] - greatest);
            }

            for (var i = 0; i < Math.Min(layer.Chosen, row.Length); i++)
            {
                scores[order[i]] += importance == ExpertImportance.Frequency ? 1 : Math.Exp(row[order[i]] - greatest) / sum;
            }
        }
    }
}
