using Build.ML.Abstractions.Techniques;
using Build.ML.Graph;

namespace Build.ML.Training;

/// <summary>
/// The training loop. Everything in it is a function of the model, the data, the plan and the context's seed: two runs, on one thread or two, killed and started again or not, end with the
/// same bits.
/// </summary>
/// <param name="context">Data, inference, seed, threads, checkpoints, progress, cancellation.</param>
public sealed class Trainer(StepContext context)
{
    /// <summary>Least time from one checkpoint to the next; longer where writing one takes more than a twentieth of it. Zero: after every step. Default one minute; it decides what a killed run repeats, never what it ends with.</summary>
    public TimeSpan CheckpointInterval { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>Trains a model.</summary>
    /// <param name="model">Gets the new weights; other models that share its tensors do not change.</param>
    /// <param name="plan">What to do.</param>
    /// <returns>The model and how it went.</returns>
    /// <exception cref="Graph.Diagnostics.DiagnosticException">
    /// BML6050 to BML6056 model, losses and data do not fit together, BML6060 to BML6062 a loss, gradient or weight is not finite, BML6080 to BML6084 of the feed, BML81xx the model cannot be
    /// differentiated.
    /// </exception>
    /// <exception cref="OperationCanceledException">Cancelled; the model's weights are as they were.</exception>
    public TrainingResult Fit(Model model, TrainingPlan plan)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(plan);
        using var run = new TrainingRun(context, model, plan, CheckpointInterval);
        return run.Complete();
    }
}
