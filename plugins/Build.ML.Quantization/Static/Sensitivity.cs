using System.ComponentModel.DataAnnotations;
using Build.ML.Abstractions.References;

namespace Build.ML.Quantization.Static;

/// <summary>What fidelity to the model before quantization is measured by.</summary>
public enum FidelityMetric
{
    /// <summary>Signal to quantization noise ratio of the outputs, in dB.</summary>
    SqnrDb,

    /// <summary>Share of rows of the first output whose greatest element is at the same place, 0 to 1.</summary>
    Agreement,
}

/// <summary>What happens to a layer that costs too much.</summary>
public enum SensitivityFallback
{
    /// <summary>Its weight is stored as integers, it computes with real numbers: a quarter of the bytes, the time of fp32.</summary>
    WeightOnly,

    /// <summary>It stays as it is.</summary>
    Float,
}

/// <summary>
/// Exclusion by measured sensitivity: if the model with everything quantized falls short of the target, the layers (and additions and products of activations) that
/// cost most are taken out, as few as reach it. Which cost most is measured on the same scale: for a fidelity by quantizing each alone, for a metric of the recipe by taking
/// each out alone, since a single layer's noise seldom changes an answer.
/// </summary>
public sealed record Sensitivity : IValidatableObject
{
    /// <summary>Fidelity to the real model that <c>target</c> is a value of; needs no labels. Default <c>sqnr_db</c>. Where <c>by</c> is given it is not used.</summary>
    public FidelityMetric Metric { get; init; } = FidelityMetric.SqnrDb;

    /// <summary>Least acceptable fidelity: dB for <c>sqnr_db</c>, 0 to 1 for <c>agreement</c>.</summary>
    [Range(0d, 200d)]
    public double? Target { get; init; }

    /// <summary>How many samples of the calibration data to measure a fidelity on. Default 32.</summary>
    [Range(1, 1_000_000)]
    public int Samples { get; init; } = 32;

    /// <summary>A metric under <c>evaluate:</c> to search by instead, such as <c>accuracy</c> or <c>cer</c>: what the model is for.</summary>
    public MetricReference? By { get; init; }

    /// <summary>For <c>by</c>: how much worse than the real model's the figure may be, in the metric's unit.</summary>
    [Range(0d, double.PositiveInfinity)]
    public double? Within { get; init; }

    /// <summary>For <c>by</c>: the data, with labels, to measure on; not the data of <c>evaluate:</c>, whose figures would flatter the model. Default the calibration data.</summary>
    public DataReference? On { get; init; }

    /// <summary>What happens to layers taken out. Default <c>weight_only</c>.</summary>
    public SensitivityFallback Fallback { get; init; } = SensitivityFallback.WeightOnly;

    /// <inheritdoc/>
    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (By is null ? Target is null || Within is not null || On is not null : Target is not null || Within is null)
        {
            yield return new("give either 'target', of a fidelity, or 'by' and 'within' (and perhaps 'on'), of a metric of the recipe.", [nameof(Target)]);
        }
    }
}
