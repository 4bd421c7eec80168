using System.ComponentModel.DataAnnotations;

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
/// Exclusion by measured sensitivity: if the model with all layers quantized falls short of the target, each layer is quantized alone and the output's SQNR measured; the layers
/// that disturb most are then taken out, as few as reach the target.
/// </summary>
public sealed record Sensitivity
{
    /// <summary>What the target is a value of. Default <c>sqnr_db</c>.</summary>
    public FidelityMetric Metric { get; init; } = FidelityMetric.SqnrDb;

    /// <summary>Least acceptable value: dB for <c>sqnr_db</c>, 0 to 1 for <c>agreement</c>.</summary>
    [Required]
    [Range(0d, 200d)]
    public required double Target { get; init; }

    /// <summary>How many samples of the calibration data to measure on. Default 32.</summary>
    [Range(1, 1_000_000)]
    public int Samples { get; init; } = 32;

    /// <summary>What happens to layers taken out. Default <c>weight_only</c>.</summary>
    public SensitivityFallback Fallback { get; init; } = SensitivityFallback.WeightOnly;

    /// <summary>The figure the target is about.</summary>
    internal double Of(Fidelity fidelity) => Metric == FidelityMetric.SqnrDb ? fidelity.SqnrDecibels : fidelity.Agreement;
}
