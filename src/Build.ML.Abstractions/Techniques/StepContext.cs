using System.Collections.Immutable;
using System.Reflection;
using Build.ML.Abstractions.Data;
using Build.ML.Abstractions.Inference;
using Build.ML.Abstractions.Metrics;
using Build.ML.Abstractions.References;
using Build.ML.Graph;
using Build.ML.Graph.Diagnostics;

namespace Build.ML.Abstractions.Techniques;

/// <summary>Everything a technique may use besides its model and options; there is no ambient state.</summary>
public sealed record StepContext
{
    /// <summary>Id of the step in its recipe.</summary>
    public required string StepId { get; init; }

    /// <summary>Opens a data set named in the options.</summary>
    public required Func<DataReference, DataSet> Data { get; init; }

    /// <summary>Opens a copy of another model named in the options; the caller disposes it.</summary>
    public required Func<ModelReference, Model> Model { get; init; }

    /// <summary>Runs models.</summary>
    public required IInference Inference { get; init; }

    /// <summary>
    /// Takes figures of a candidate: runs a model over a data set once, samples one by one as evaluation does, for all metrics asked for. For techniques that search by what
    /// the user cares for; data and metrics are references in the options. The model is not changed and may be edited afterwards. Default: throws.
    /// </summary>
    public Func<Model, DataReference, ImmutableArray<MetricReference>, ImmutableArray<MetricValue>> Evaluate { get; init; } =
        static (_, _, _) => throw new NotSupportedException("This context evaluates nothing.");

    /// <summary>
    /// Takes the figures of the recipe's evaluation of a candidate and compares them with the recipe's gates, the candidate standing for this step and for the recipe's
    /// last step. Only for techniques that say <see cref="TechniqueAttribute.ChecksGates"/>. Default: throws.
    /// </summary>
    /// <exception cref="Build.ML.Graph.Diagnostics.DiagnosticException">The recipe has no gates, or a gate names another step.</exception>
    public Func<Model, GateVerdict> CheckGates { get; init; } = static _ => throw new NotSupportedException("This context has no gates.");

    /// <summary>Seed of all randomness in the step; part of the fingerprint.</summary>
    public long Seed { get; init; }

    /// <summary>Cores the step may use; results must not depend on it.</summary>
    public int Threads { get; init; } = Environment.ProcessorCount;

    /// <summary>An empty folder for temporary files, deleted after the step.</summary>
    public required string ScratchDirectory { get; init; }

    /// <summary>
    /// What was computed from a model and data in other steps and builds, such as ranges of activations. The engine scopes it to the runtime's version and
    /// the technique's assembly. Default: keeps nothing.
    /// </summary>
    public IDerivedCache Cache { get; init; } = NoDerivedCache.Instance;

    /// <summary>
    /// SHA-256 over all that decides what a data set holds (reader, options, contents of files), for keys of <see cref="Cache"/>; null where nothing is known of it, so that
    /// nothing derived from it may be kept. Default: null.
    /// </summary>
    public Func<DataReference, string?> DataFingerprint { get; init; } = static _ => null;

    /// <summary>
    /// A folder for what a step that was killed needs to go on from where it was: the same step on the same inputs finds it again, and no other step ever
    /// sees it. Files in it must be written whole (temporary name, then renamed). Deleted when the step succeeds. Default: empty, there is none.
    /// </summary>
    public string CheckpointDirectory { get; init; } = "";

    /// <summary>Plugins that bring gradients of operators (a <c>GradientTable</c>), for techniques that train. Default: none.</summary>
    public ImmutableArray<Assembly> GradientAssemblies { get; init; } = [];

    /// <summary>Receives progress; called from one thread at a time.</summary>
    public IProgress<StepProgress> Progress { get; init; } = new Progress<StepProgress>();

    /// <summary>Receives warnings and facts about the step (errors are thrown).</summary>
    public Action<Diagnostic> Report { get; init; } = static _ => { };

    /// <summary>Stops the step.</summary>
    public CancellationToken Cancellation { get; init; }
}
