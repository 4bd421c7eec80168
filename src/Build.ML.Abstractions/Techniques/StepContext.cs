using Build.ML.Abstractions.Data;
using Build.ML.Abstractions.Inference;
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

    /// <summary>Seed of all randomness in the step; part of the fingerprint.</summary>
    public long Seed { get; init; }

    /// <summary>Cores the step may use; results must not depend on it.</summary>
    public int Threads { get; init; } = Environment.ProcessorCount;

    /// <summary>An empty folder for temporary files, deleted after the step.</summary>
    public required string ScratchDirectory { get; init; }

    /// <summary>Receives progress; called from one thread at a time.</summary>
    public IProgress<StepProgress> Progress { get; init; } = new Progress<StepProgress>();

    /// <summary>Receives warnings and facts about the step (errors are thrown).</summary>
    public Action<Diagnostic> Report { get; init; } = static _ => { };

    /// <summary>Stops the step.</summary>
    public CancellationToken Cancellation { get; init; }
}
