using System.Collections.Immutable;
using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Globalization;
using Build.ML.Abstractions.Selection;
using Build.ML.Abstractions.Techniques;
using Build.ML.Graph;
using Build.ML.Graph.Blocks;
using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Passes;

namespace Build.ML.WeightSharing.Layers;

/// <summary>
/// Lets layers that are alike read one set of weights (Lan et al. 2020, "ALBERT", arXiv 1909.11942, whose layers all do): residual blocks of the same operators and sizes are found, put into groups, and the
/// blocks of a group get the same initializers. The file holds each once. Quality is lost until training recovers it: a step of <c>distill.*</c> or <c>train</c> behind this one trains the shared
/// weights with the gradients of all who read them.
/// </summary>
[Technique("share.layers")]
[Description("Lets similar layers read one set of weights, which a training step behind it recovers.")]
public sealed class LayerSharing : Technique<LayerSharing.Options>
{
    /// <summary>Options of <c>share.layers</c>.</summary>
    public sealed record Options
    {
        /// <summary>Layers that share one set of weights, 2 or more; the last set may serve fewer. Default 2.</summary>
        [Range(2, 10_000)]
        public int Layers { get; init; } = 2;

        /// <summary>Which layers share: <c>sequence</c> (default, neighbours), <c>cycle</c>, <c>cycle_reverse</c>, or <c>similar</c>, those whose weights are nearest.</summary>
        public SharingOrder Order { get; init; } = SharingOrder.Sequence;

        /// <summary>What the shared weights begin with: <c>average</c> (default) or those of the <c>first</c> layer, which keeps what that one computes.</summary>
        public SharedStart Start { get; init; } = SharedStart.Average;

        /// <summary>Globs over names of layers, as the report gives them, and of nodes in them; only layers that fit one share. Default all.</summary>
        public ImmutableArray<string> Include { get; init; } = [];

        /// <summary>Globs over names of layers and of nodes in them; layers that fit one keep weights of their own. Default none.</summary>
        public ImmutableArray<string> Exclude { get; init; } = [];
    }

    /// <inheritdoc/>
    /// <exception cref="DiagnosticException">BML5760: the model has no two layers that are alike, or the selection leaves fewer than two.</exception>
    public override StepResult Apply(Model model, Options options, StepContext context)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(options);
        PassPipeline.Of(["constants-to-initializers"]).Run(model);
        var before = Bytes(model);
        var outcomes = ImmutableArray.CreateBuilder<LayerOutcome>();
        foreach (var alike in ResidualBlocks.Find(model).SelectMany(r => r.Blocks).GroupBy(b => b.Structure))
        {
            Share([.. alike], options, outcomes);
        }

        if (outcomes.All(o => o.Outcome != "shared"))
        {
            throw new DiagnosticException("BML5760", outcomes.Count == 0
                ? "No layers share weights: the model has no residual blocks. Use share.cluster, which shares values within a weight."
                : $"No layers share weights: {string.Join("; ", outcomes.Select(o => $"{o.Layer}: {o.Reason}").Distinct().Take(20))}. Change include and exclude, or use share.cluster.");
        }

        new RemoveUnusedInitializers().Run(model);
        var after = Bytes(model);
        return new StepResult(model)
        {
            Layers = outcomes.ToImmutable(),
            Notes =
            [
                string.Create(CultureInfo.InvariantCulture, $"Weights: {before:N0} bytes before, {after:N0} after. The model is smaller on disk and in memory, and as fast as before: all layers still run."),
                "What the layers had learnt of their own is lost until the shared weights are trained: put a step of distill.* with teacher: model behind this one.",
            ],
        };
    }

    private static void Share(ResidualBlock[] alike, Options options, ImmutableArray<LayerOutcome>.Builder outcomes)
    {
        var chosen = alike.Where(b => Unselected(b, options) is null && TwinWeights.Match(b, alike[0])).ToArray();
        var groups = chosen.Length < 2 ? []
            : LayerGroups.Of(chosen.Length, (chosen.Length + options.Layers - 1) / options.Layers, options.Order, (a, b) => TwinWeights.Distance(chosen[a], chosen[b]));
        var sharing = chosen.Zip(groups).GroupBy(p => p.Second, p => p.First).Where(g => g.Count() > 1).SelectMany(g => g.Select(b => (Block: b, First: g.First(), Count: g.Count()))).ToArray();
        var distances = sharing.ToDictionary(s => s.Block, s => s.Block == s.First ? 0 : TwinWeights.Distance(s.First, s.Block));
        foreach (var group in sharing.GroupBy(s => s.First))
        {
            Tie([.. group.Select(s => s.Block)], options.Start);
        }

        foreach (var block in alike)
        {
            var shared = sharing.FirstOrDefault(s => s.Block == block);
            outcomes.Add(shared.Block is null
                ? new(block.Name, "layer", "left", Unselected(block, options) ?? (chosen.Length < 2 ? "no other layer is like it" : "the others are in groups"), [])
                : new(block.Name, "layer", "shared", shared.First == block ? $"with {shared.Count - 1} more" : $"with {shared.First.Name}", [new("distance", distances[block])]));
        }
    }

    private static void Tie(ResidualBlock[] blocks, SharedStart start)
    {
        var weights = blocks.Select(TwinWeights.Of).ToArray();
        for (var w = 0; w < weights[0].Count; w++)
        {
            Value[] twins = [.. weights.Select(l => l[w])];
            var distinct = twins.Distinct().ToArray();
            if (distinct.Length == 1)
            {
                continue; // shared already
            }

            var nodes = blocks.SelectMany(b => b.Nodes).ToHashSet();
            var graph = twins[0].Graph;
            var tensor = start == SharedStart.Average ? TwinWeights.Mean([.. twins.Select(t => t.Initializer!)]) : twins[0].Initializer!;

            // One that is read elsewhere too stays as it is there.
            var shared = twins[0].Uses.All(u => nodes.Contains(u.Node)) ? twins[0] : graph.AddInitializer(twins[0].Name + ".shared", tensor);
            graph.SetInitializer(shared, tensor);
            foreach (var twin in distinct)
            {
                foreach (var use in twin.Uses.Where(u => twin != shared && nodes.Contains(u.Node)).ToArray())
                {
                    use.Node.SetInput(use.Index, shared);
                }
            }
        }
    }

    private static string? Unselected(ResidualBlock block, Options options)
    {
        bool Fits(ImmutableArray<string> globs) => globs.Any(g => new NamePattern(g) is var p && (p.Matches(block.Name) || block.Nodes.Any(n => p.Matches(n.Name))));
        return options.Include.Length > 0 && !Fits(options.Include) ? "not included" : Fits(options.Exclude) ? "excluded" : null;
    }

    private static long Bytes(Model model) => model.Graph.Initializers.Sum(i => i.Initializer!.ByteLength);
}
