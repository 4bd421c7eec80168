using System.Collections.Immutable;
using System.ComponentModel.DataAnnotations;
using Build.ML.Training;

namespace Build.ML.Distillation;

/// <summary>What all distillations have in common (Hinton, Vinyals and Dean 2015): the student matches the teacher's softened probabilities, and the labels where there are any.</summary>
public abstract record DistillationOptions : TrainingOptions
{
    /// <summary>Temperature that softens probabilities, above 0. Default 4.</summary>
    [Range(0.01, 1000d)] public double Temperature { get; init; } = 4;

    /// <summary>Share of the loss that is on labels, 0 to 1; the rest is on the teacher. 0 needs no labels. Default 0.1.</summary>
    [Range(0d, 1d)] public double LabelWeight { get; init; } = 0.1;

    /// <summary>The loss on labels. Default <c>cross_entropy</c>; not used where <c>label_weight</c> is 0.</summary>
    public Loss LabelLoss { get; init; } = new CrossEntropy();

    /// <summary>Name of the output to distil. Default: the first of student and teacher.</summary>
    public string? Output { get; init; }

    /// <summary>Losses beside these, each with its own weight, such as <c>cosine</c> or <c>attention_maps</c>. Default none.</summary>
    public ImmutableArray<Loss> Losses { get; init; } = [];

    /// <summary>(1 − label_weight)·T²·KL(teacher ‖ student) + label_weight·label loss + what is added.</summary>
    internal ImmutableArray<Loss> ProbabilityLosses =>
    [
        .. LabelWeight < 1
            ? [new KullbackLeiblerDivergence { Temperature = Temperature, Output = Output, TeacherOutput = Output, Weight = 1 - LabelWeight }] : Array.Empty<Loss>(),
        .. LabelWeight > 0 ? [LabelLoss with { Weight = LabelWeight * LabelLoss.Weight }] : Array.Empty<Loss>(),
        .. Losses,
    ];
}
