using System.Collections.Immutable;
using System.ComponentModel.DataAnnotations;
using Build.ML.Abstractions.References;
using Build.ML.Pruning.Structured.Importances;

namespace Build.ML.Pruning.Structured;

/// <summary>
/// What all techniques that take positions out of axes have in common. How much goes is said by exactly one of <c>sparsity</c>, <c>remove_macs</c>, <c>remove_parameters</c>,
/// <c>remove_size</c> and <c>remove_latency</c>: each the fraction of the model given to the step that goes, reached or exceeded by less than what one removal of <c>round_to</c> positions makes.
/// </summary>
public abstract record StructuredPruningOptions : IValidatableObject
{
    /// <summary>Fraction of the positions of all chosen axes together that goes, 0 to below 1.</summary>
    [Range(0d, 0.9999)]
    public double? Sparsity { get; init; }

    /// <summary>Fraction of the multiply-accumulates of one run that goes, 0 to below 1. Needs <c>data</c> where the model's input sizes are not fixed.</summary>
    [Range(0d, 0.9999)]
    public double? RemoveMacs { get; init; }

    /// <summary>Fraction of the number of weights that goes, 0 to below 1.</summary>
    [Range(0d, 0.9999)]
    public double? RemoveParameters { get; init; }

    /// <summary>Fraction of the bytes of the weights that goes, 0 to below 1: the file's but for the graph itself.</summary>
    [Range(0d, 0.9999)]
    public double? RemoveSize { get; init; }

    /// <summary>
    /// Fraction of the time of one run that goes, 0 to below 1, measured with ONNX Runtime on the first sample of <c>data</c> on one thread, in turns with the model given. The only target
    /// whose result depends on the machine.
    /// </summary>
    [Range(0d, 0.9999)]
    public double? RemoveLatency { get; init; }

    /// <summary>What tells which positions count least. Default <c>l2</c>.</summary>
    public Importance Importance { get; init; } = new L2Importance();

    /// <summary>Whether positions of all axes are compared with each other (<c>global</c>), or each axis loses the same share (<c>layer</c>). Default <c>global</c>.</summary>
    public PruningScope Scope { get; init; } = PruningScope.Global;

    /// <summary>
    /// Sizes of axes become multiples of this, 1 to 1024. Default 8: ONNX Runtime's convolutions compute blocks of 8 channels with AVX2 (16 with AVX-512), and a block that is partly empty
    /// costs as much as a full one. Halved, again and again, for an axis of less than twice as many positions, where it is a dimension of its own.
    /// </summary>
    [Range(1, 1024)]
    public int RoundTo { get; init; } = 8;

    /// <summary>Positions that every axis keeps at least, 2 or more, rounded up to the multiple. Default 2.</summary>
    [Range(2, 1 << 20)]
    public int Minimum { get; init; } = 2;

    /// <summary>Globs over names of nodes, outputs and weights; only axes that a layer which fits one makes are pruned. Default all.</summary>
    public ImmutableArray<string> Include { get; init; } = [];

    /// <summary>Globs over names of nodes, outputs and weights; axes that a layer which fits one makes are left as they are. Default none.</summary>
    public ImmutableArray<string> Exclude { get; init; } = [];

    /// <summary>Rounds in which the target is reached, 1 to 100: importances are taken anew after each. Default 1.</summary>
    [Range(1, 100)]
    public int Iterations { get; init; } = 1;

    /// <summary>Calibration data: for importances taken from data, compensation, statistics and latency. Default none.</summary>
    public DataReference? Data { get; init; }

    /// <summary>How the layers that read a pruned axis make up for what is gone: <c>none</c> (default) or <c>least_squares</c>.</summary>
    public Compensation Compensate { get; init; } = Compensation.None;

    /// <summary>
    /// How far least squares hold on to the weights as they are: λ over the mean square of the layer's inputs, above 0, at most 1000. More where there is little data. Default 0.001.
    /// </summary>
    [Range(1e-9, 1e3)]
    public double Ridge { get; init; } = 1e-3;

    /// <summary>Whether running statistics of BatchNormalization nodes stay (<c>keep</c>, default) or are taken anew from <c>data</c> (<c>reestimate</c>).</summary>
    public BatchNormStatistics BatchNorm { get; init; } = BatchNormStatistics.Keep;

    /// <summary>The target: what goes and how much.</summary>
    internal (TargetMeasure Measure, double Fraction) Target =>
        Sparsity is { } positions ? (TargetMeasure.Positions, positions)
        : RemoveMacs is { } macs ? (TargetMeasure.Macs, macs)
        : RemoveParameters is { } parameters ? (TargetMeasure.Parameters, parameters)
        : RemoveSize is { } size ? (TargetMeasure.Size, size)
        : (TargetMeasure.Latency, RemoveLatency!.Value);

    /// <inheritdoc/>
    public virtual IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        var targets = new[] { Sparsity, RemoveMacs, RemoveParameters, RemoveSize, RemoveLatency }.Count(t => t is not null);
        if (targets != 1)
        {
            yield return new(
                $"{(targets == 0 ? "none" : targets.ToString(System.Globalization.CultureInfo.InvariantCulture))} of 'sparsity', 'remove_macs', 'remove_parameters', 'remove_size' and 'remove_latency' "
                + "is given; exactly one says how much goes.", [nameof(Sparsity)]);
        }

        if (Data is null && RemoveLatency is not null)
        {
            yield return new("'remove_latency' runs the model on a sample: name calibration data as 'data'.", [nameof(RemoveLatency)]);
        }

        if (Data is null && Compensate != Compensation.None)
        {
            yield return new("'compensate' needs calibration data: name it as 'data'.", [nameof(Compensate)]);
        }

        if (Data is null && BatchNorm != BatchNormStatistics.Keep)
        {
            yield return new("'batch_norm: reestimate' needs calibration data: name it as 'data'.", [nameof(BatchNorm)]);
        }
    }
}
