using System.Collections.Immutable;

namespace Build.ML.Training;

/// <summary>Options of techniques that learn from labels by losses that the recipe names.</summary>
public record SupervisedOptions : TrainingOptions
{
    /// <summary>What is made small. Default <c>cross_entropy</c>. Not used with <c>losses</c>.</summary>
    public Loss Loss { get; init; } = new CrossEntropy();

    /// <summary>Several losses, whose weighted sum is made small. Default: <c>loss</c> alone.</summary>
    public ImmutableArray<Loss> Losses { get; init; } = [];

    /// <summary>The losses that are meant.</summary>
    public ImmutableArray<Loss> ChosenLosses() => Losses.Length > 0 ? Losses : [Loss];
}
