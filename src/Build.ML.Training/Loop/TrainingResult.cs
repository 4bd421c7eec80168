using System.Collections.Immutable;
using Build.ML.Graph;

namespace Build.ML.Training;

/// <summary>What a part of a run came to.</summary>
/// <param name="Step">Updates done by then.</param>
/// <param name="Loss">Mean training loss of the batches since the part before.</param>
/// <param name="Validation">Loss or metric on the validation data at its end.</param>
public sealed record TrainingRecord(long Step, double Loss, double Validation);

/// <summary>What training yields.</summary>
/// <param name="Model">The model that was given, with the new weights and running statistics in its initializers.</param>
/// <param name="Steps">Updates done: fewer than planned where it stopped early.</param>
/// <param name="Loss">Mean training loss of the last batches, at most a hundred updates.</param>
public sealed record TrainingResult(Model Model, long Steps, double Loss)
{
    /// <summary>Validations in order; empty without validation data.</summary>
    public ImmutableArray<TrainingRecord> Validations { get; init; } = [];

    /// <summary>The validation whose weights the model has; null without validation data.</summary>
    public TrainingRecord? Best { get; init; }

    /// <summary>Trained weights, and numbers in them.</summary>
    public (int Weights, long Numbers) Trained { get; init; }

    /// <summary>Time that the loop waited for data, the first batch aside.</summary>
    public TimeSpan WaitedForData { get; init; }

    /// <summary>Sentences for a step's report.</summary>
    public ImmutableArray<string> Notes { get; init; } = [];
}
