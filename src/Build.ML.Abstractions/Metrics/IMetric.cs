using System.Collections.Immutable;
using Build.ML.Abstractions.Data;
using Build.ML.Abstractions.Inference;
using Build.ML.Graph;
using Build.ML.Graph.Tensors;

namespace Build.ML.Abstractions.Metrics;

/// <summary>What the engine needs of a metric; derive from <see cref="OutputMetric{TOptions}"/> or <see cref="ModelMetric{TOptions}"/> instead of implementing it.</summary>
public interface IMetric
{
    /// <summary>The options record, bound from the keys beside <c>use:</c> in <c>metrics:</c>.</summary>
    Type OptionsType { get; }

    /// <summary>Whether figures depend on the machine and its load (latency, energy); then the processor's name enters the evaluation's fingerprint.</summary>
    bool DependsOnMachine { get; }

    /// <summary>Whether the metric compares with the outputs of the source model, so that the engine runs that too.</summary>
    bool NeedsSourceOutputs { get; }
}

/// <summary>What a metric may look at.</summary>
public sealed record MetricContext
{
    /// <summary>The model under evaluation.</summary>
    public required Model Model { get; init; }

    /// <summary>Its file as it would be shipped, external data beside it.</summary>
    public required string ModelFile { get; init; }

    /// <summary>The recipe's source model.</summary>
    public required Model Source { get; init; }

    /// <summary>File of the source model.</summary>
    public required string SourceFile { get; init; }

    /// <summary>The evaluation data, or null when the recipe names none.</summary>
    public DataSet? Data { get; init; }

    /// <summary>Runs models.</summary>
    public required IInference Inference { get; init; }

    /// <summary>Threads for timing runs; default 1.</summary>
    public int Threads { get; init; } = 1;

    /// <summary>Stops the measurement.</summary>
    public CancellationToken Cancellation { get; init; }
}

/// <summary>Collects a metric batch by batch, so that outputs need not be kept.</summary>
public interface IMetricAccumulator
{
    /// <summary>Takes one batch.</summary>
    /// <param name="batch">Inputs and labels.</param>
    /// <param name="outputs">Outputs of the model under evaluation, in graph order.</param>
    /// <param name="sourceOutputs">Outputs of the source model, or empty when the metric does not need them.</param>
    void Add(Batch batch, ImmutableArray<Tensor> outputs, ImmutableArray<Tensor> sourceOutputs);

    /// <summary>The figures over all batches.</summary>
    ImmutableArray<MetricValue> Result();
}

/// <summary>A metric of a model's outputs on data, such as accuracy.</summary>
/// <typeparam name="TOptions">An immutable record.</typeparam>
public abstract class OutputMetric<TOptions> : IOutputMetric
    where TOptions : class
{
    /// <inheritdoc/>
    public Type OptionsType => typeof(TOptions);

    /// <inheritdoc/>
    public bool DependsOnMachine => false;

    /// <inheritdoc/>
    public virtual bool NeedsSourceOutputs => false;

    /// <summary>Starts collecting.</summary>
    public abstract IMetricAccumulator Begin(TOptions options);

    /// <inheritdoc/>
    IMetricAccumulator IOutputMetric.Begin(object options) => Begin((TOptions)options);
}

/// <summary>A metric of outputs, as the engine sees it.</summary>
public interface IOutputMetric : IMetric
{
    /// <summary>Starts collecting.</summary>
    IMetricAccumulator Begin(object options);
}

/// <summary>A metric of the model itself or of running it, such as size or latency.</summary>
/// <typeparam name="TOptions">An immutable record.</typeparam>
public abstract class ModelMetric<TOptions> : IModelMetric
    where TOptions : class
{
    /// <inheritdoc/>
    public Type OptionsType => typeof(TOptions);

    /// <inheritdoc/>
    public virtual bool DependsOnMachine => false;

    /// <inheritdoc/>
    public bool NeedsSourceOutputs => false;

    /// <summary>Takes the measurement.</summary>
    public abstract ImmutableArray<MetricValue> Measure(TOptions options, MetricContext context);

    /// <inheritdoc/>
    ImmutableArray<MetricValue> IModelMetric.Measure(object options, MetricContext context) => Measure((TOptions)options, context);
}

/// <summary>A metric of a model, as the engine sees it.</summary>
public interface IModelMetric : IMetric
{
    /// <summary>Takes the measurement.</summary>
    ImmutableArray<MetricValue> Measure(object options, MetricContext context);
}
