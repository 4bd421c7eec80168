using System.ComponentModel;
using Build.ML.Abstractions.Techniques;
using Build.ML.Graph;
using Build.ML.Graph.Coupling;

namespace Build.ML.Pruning.Structured;

/// <summary>Removes hidden units between two matrix products: of the feed-forward layers of transformers, gated ones too, and of any multilayer perceptron (Muralidharan et al. 2024, arXiv 2407.14679).</summary>
[Technique("prune.neurons")]
[Description("Removes hidden units of feed-forward layers, gated ones too.")]
public sealed class NeuronPruning : Technique<NeuronPruning.Options>
{
    /// <summary>Options of <c>prune.neurons</c>.</summary>
    public sealed record Options : StructuredPruningOptions;

    /// <inheritdoc/>
    public override StepResult Apply(Model model, Options options, StepContext context) => new StructuredPruner(options, [AxisKind.Neurons], context).Prune(model);
}
