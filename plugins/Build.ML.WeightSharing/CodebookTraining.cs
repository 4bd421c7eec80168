using System.Collections.Immutable;
using Build.ML.Abstractions.References;
using Build.ML.Training;

namespace Build.ML.WeightSharing;

/// <summary>
/// How codebooks are trained: the gradient of a codebook's value is the sum of the gradients of all weights that share it (Han et al. 2016, section 3.3). The options are those of training.
/// </summary>
public sealed record CodebookTraining : TrainingOptions
{
    /// <summary>Losses, whose weighted sum is made small. Default <c>cross_entropy</c>, or with a teacher <c>kl_divergence</c>, which needs no labels.</summary>
    public ImmutableArray<Loss> Losses { get; init; } = [];

    /// <summary>A model to learn from, such as <c>model</c> or a step. Default none: labels.</summary>
    public ModelReference? Teacher { get; init; }

    /// <summary>The losses that are meant.</summary>
    internal ImmutableArray<Loss> ChosenLosses => Losses.Length > 0 ? Losses : Teacher is null ? [new CrossEntropy()] : [new KullbackLeiblerDivergence()];
}
