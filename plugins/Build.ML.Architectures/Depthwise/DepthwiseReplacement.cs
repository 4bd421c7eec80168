using System.Collections.Immutable;
using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using Build.ML.Abstractions.Selection;
using Build.ML.Abstractions.Techniques;
using Build.ML.Graph;
using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Ir;

namespace Build.ML.Architectures.Depthwise;

/// <summary>
/// Replaces standard convolutions by depthwise separable ones (Howard et al.: MobileNets, 2017): a convolution of each channel by itself,
/// and a 1×1 convolution over the channels.
/// Of a 3×3 layer about a ninth of the weights and products is left. The new layers begin near what the old ones computed; distil or
/// fine-tune the model afterwards.
/// </summary>
[Technique("architect.depthwise")]
[Description("Replaces convolutions by depthwise separable ones that approximate them, to be distilled into.")]
public sealed class DepthwiseReplacement : Technique<DepthwiseReplacement.Options>
{
    /// <summary>Options of <c>architect.depthwise</c>.</summary>
    public sealed record Options
    {
        /// <summary>
        /// Kernels of each channel, 1 to 64: with more of them the approximation is better and the layer larger. Layers that would not get
        /// smaller are left as they are.
        /// Default 1.
        /// </summary>
        [Range(1, 64)]
        public int Multiplier { get; init; } = 1;

        /// <summary>
        /// How the weights begin: <c>approximate</c>, the nearest to the old weights that there is, or <c>random</c>, by the step's seed.
        /// Default <c>approximate</c>.
        /// </summary>
        public DepthwiseStart Start { get; init; } = DepthwiseStart.Approximate;

        /// <summary>
        /// Least share of a layer's squared weights that the approximation must keep, 0 to 1; layers of which less is kept are left as they
        /// are. Default 0: all are replaced.
        /// </summary>
        [Range(0d, 1d)]
        public double MinimumKept { get; init; }

        /// <summary>
        /// Whether batch normalization stands between the two convolutions, as in MobileNet. Training then normalizes there, which the
        /// approximation does not count on. Default false.
        /// </summary>
        public bool Normalize { get; init; }

        /// <summary>
        /// What follows the first convolution: <c>none</c>, <c>relu</c> or <c>relu6</c>. Default <c>none</c>: the approximation holds only
        /// without.
        /// </summary>
        public DepthwiseActivation Activation { get; init; } = DepthwiseActivation.None;

        /// <summary>Globs over names of nodes, outputs and weights; only layers that fit one are replaced. Default all.</summary>
        public ImmutableArray<string> Include { get; init; } = [];

        /// <summary>Globs over names of nodes, outputs and weights; layers that fit one are left as they are. Default none.</summary>
        public ImmutableArray<string> Exclude { get; init; } = [];
    }

    /// <inheritdoc/>
    /// <exception cref="DiagnosticException">BML6114 no layer can be replaced; BML5401 a pattern fits nothing.</exception>
    public override StepResult Apply(Model model, Options options, StepContext context)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(context);
        var selection = new LayerSelection(model, ["Conv"], options.Include, options.Exclude);
        var nodes = model.AllNodes.Where(n => n.Is("Conv")).ToArray();
        var outcomes = ImmutableArray.CreateBuilder<LayerOutcome>(nodes.Length);
        var rewriter = new DepthwiseRewriter(options, context);
        for (var i = 0; i < nodes.Length; i++)
        {
            context.Cancellation.ThrowIfCancellationRequested();
            context.Progress.Report(new((double)i / nodes.Length, "replacing convolutions"));
            outcomes.Add(Replaced(nodes[i], selection.ReasonToLeave(nodes[i]), rewriter));
        }

        if (outcomes.All(o => o.Outcome == "left"))
        {
            var reasons = string.Join("; ", outcomes.GroupBy(o => o.Reason, StringComparer.Ordinal).Select(g => $"{g.Count()} {g.Key}"));
            throw new DiagnosticException("BML6114", outcomes.Count == 0
                ? "No convolution was replaced: the model has none. Remove the step."
                : $"No convolution was replaced, of {outcomes.Count}: {reasons}. Change the selection or options, or remove the step.");
        }

        return new StepResult(model) { Layers = outcomes.ToImmutable(), Notes = [Note(outcomes, options)] };
    }

    private static LayerOutcome Replaced(Node node, string? reason, DepthwiseRewriter rewriter)
    {
        reason ??= SeparableLayer.ReasonToLeave(node);
        var figures = ImmutableArray<KeyValuePair<string, double>>.Empty;
        if (reason is null)
        {
            (reason, figures) = rewriter.Replace(node, SeparableLayer.Of(node));
        }

        return new(node.Name.Length > 0 ? node.Name : node.Outputs[0].Name, "Conv", reason is null ? "replaced" : "left", reason ?? "", figures);
    }

    private static string Note(ImmutableArray<LayerOutcome>.Builder outcomes, Options options)
    {
        var replaced = outcomes.Where(o => o.Outcome == "replaced").ToArray();
        var (before, after) = (Total("weights_before"), Total("weights_after"));
        var what = options.Start == DepthwiseStart.Random ? "They begin with random weights: train or distil the model."
            : "They approximate the old ones: distil into the model, or fine-tune it, to win back what was lost.";
        return $"{replaced.Length} of {outcomes.Count} convolutions were replaced: {before} of their weights became {after}. {what}";

        long Total(string figure) => (long)replaced.Sum(o => o.Figures.First(f => f.Key == figure).Value);
    }
}

/// <summary>How weights of depthwise separable convolutions begin.</summary>
public enum DepthwiseStart
{
    /// <summary>Nearest to the old weights.</summary>
    Approximate,

    /// <summary>Random by the seed.</summary>
    Random,
}

/// <summary>What stands between depthwise and 1×1 convolution.</summary>
public enum DepthwiseActivation
{
    /// <summary>Nothing.</summary>
    None,

    /// <summary>max(x, 0).</summary>
    Relu,

    /// <summary>min(max(x, 0), 6).</summary>
    Relu6,
}
