using System.ComponentModel.DataAnnotations;
using Build.ML.Abstractions.References;

namespace Build.ML.Quantization.Mixed;

/// <summary>How much worse a metric may become.</summary>
public sealed record QualityBudget
{
    /// <summary>A metric of the recipe's <c>evaluate:</c>.</summary>
    [Required]
    public required MetricReference Metric { get; init; }

    /// <summary>Labelled data to take it on. Not the data the model is judged by in the end: a search fits what it searches on.</summary>
    [Required]
    public required DataReference Data { get; init; }

    /// <summary>Greatest change for the worse, as a share of the figure before: 0.01 lets an accuracy of 0.80 fall to 0.792 and a perplexity of 5.0 rise to 5.05. Default 0.01.</summary>
    [Range(0d, 1d)]
    public double MaxLoss { get; init; } = 0.01;
}
