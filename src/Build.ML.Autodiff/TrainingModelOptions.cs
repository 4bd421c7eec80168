using System.Collections.Immutable;
using Build.ML.Graph.Ir;

namespace Build.ML.Autodiff;

/// <summary>How a forward model becomes a training model.</summary>
public sealed record TrainingModelOptions
{
    /// <summary>Sizes of inputs by name, the batch dimension included; an input that is not named must declare a static shape.</summary>
    public ImmutableDictionary<string, ImmutableArray<long>> InputSizes { get; init; } = ImmutableDictionary<string, ImmutableArray<long>>.Empty;

    /// <summary>Which initializers are trained; asked of each of type float that is no running statistic. Default: all that have at least one element and lead to a gradient.</summary>
    public Func<Value, bool> Trainable { get; init; } = static _ => true;

    /// <summary>
    /// Whether batch normalization uses the batch's statistics and keeps running ones, as when training from nothing; false keeps the running statistics as constants, as small batches
    /// and quantization-aware training need. Default true.
    /// </summary>
    public bool BatchStatistics { get; init; } = true;

    /// <summary>Whether running statistics are inputs as trained weights are, of those that <see cref="Trainable"/> chooses: for evaluating while they change. Default false: constants.</summary>
    public bool FeedStatistics { get; init; }

    /// <summary>Whether Dropout nodes drop. Default true.</summary>
    public bool Dropout { get; init; } = true;

    /// <summary>
    /// Bytes of activations to hold at once; beyond that segments of the forward pass are computed a second time when the backward pass needs them, which costs up to a third more time.
    /// Default: no limit.
    /// </summary>
    public long MemoryBudget { get; init; } = long.MaxValue;

    /// <summary>Operators beyond ONNX Runtime's own that the session has and that gradients may use, by operator type. Default: none; every gradient has a form without them.</summary>
    public ImmutableHashSet<string> Kernels { get; init; } = [];

    /// <summary>The gradient rules. Default: <see cref="GradientRuleSet.BuiltIn"/>.</summary>
    public GradientRuleSet Rules { get; init; } = GradientRuleSet.BuiltIn;
}
