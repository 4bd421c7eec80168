using System.Collections.Immutable;
using Build.ML.Abstractions.Inference;
using Build.ML.Abstractions.References;
using Build.ML.Abstractions.Techniques;
using Build.ML.Graph;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Passes;
using Build.ML.Training.Feed;

namespace Build.ML.Training;

/// <summary>
/// Gradients of a loss over a data set, batch by batch, with the weights as they are: nothing is trained, nothing dropped, running statistics are those of the model. For scores of
/// importance.
/// </summary>
/// <param name="context">Data, inference, threads, gradients of plugins, cancellation.</param>
public sealed class LossGradients(StepContext context)
{
    /// <summary>Runs all batches, in the order of the data.</summary>
    /// <param name="model">The model; its Constant nodes become initializers, nothing else changes.</param>
    /// <param name="data">Samples with the labels that the losses need.</param>
    /// <param name="losses">Their weighted sum is differentiated.</param>
    /// <param name="of">Which float initializers' gradients are wanted.</param>
    /// <param name="batchSize">Samples in a batch, 1 or more; what the last batch lacks is filled with samples of the data a second time.</param>
    /// <param name="observe">Gets the gradients of each batch's loss by name of the weight; they may be read only during the call.</param>
    /// <returns>Number of batches.</returns>
    /// <exception cref="Graph.Diagnostics.DiagnosticException">
    /// BML6050 to BML6056 model, losses and data do not fit together, BML6060 the loss is not finite, BML6080 to BML6084 of the data, BML81xx the model cannot be differentiated.
    /// </exception>
    public long Observe(
        Model model, DataReference data, ImmutableArray<Loss> losses, Func<Value, bool> of, int batchSize, Action<IReadOnlyDictionary<string, TensorBuffer>> observe)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(of);
        ArgumentNullException.ThrowIfNull(observe);
        PassPipeline.Of(["constants-to-initializers"]).Run(model);
        new RemoveInitializerInputs().Run(model);
        var plan = new TrainingPlan
        {
            Options = new TrainingOptions { Data = data, BatchSize = batchSize, FreezeStatistics = true, Dropout = false, Optimizer = new GradientDescent() },
            Losses = losses,
            Trainable = of,
        };
        using var feed = new TrainingFeed(
            context.Data(data), new FeedOptions { BatchSize = batchSize, Shuffle = false, Name = $"data '{data.Name}'" }, context.Cancellation);
        using var session = new BatchSession(context, model, plan, feed.Shapes[0], of, evaluate: false);
        using var store = new WeightStore(model, session.Model, plan.Options);
        session.Bind(store);
        var gradients = store.Weights.ToDictionary(w => w.Name, w => w.Gradients, StringComparer.Ordinal);
        for (long step = 0; step < feed.StepsPerEpoch; step++)
        {
            context.Cancellation.ThrowIfCancellationRequested();
            var loss = session.Run(feed.Take(step, context.Cancellation));
            if (!float.IsFinite(loss))
            {
                throw new Graph.Diagnostics.DiagnosticException(
                    "BML6060", $"The loss of batch {step} of data '{data.Name}' is {loss}: no importance follows from its gradients. Check the data, its labels and the weights of the model.");
            }

            context.Progress.Report(new((double)(step + 1) / feed.StepsPerEpoch, "gradients"));
            observe(gradients);
        }

        return feed.StepsPerEpoch;
    }
}
