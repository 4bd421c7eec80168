using System.Globalization;
using Build.ML.Abstractions.Inference;
using Build.ML.Abstractions.Techniques;
using Build.ML.Graph;
using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Tensors;
using Build.ML.Training.Feed;

namespace Build.ML.Training;

/// <summary>Finds out where numbers stopped being finite, and says what to try.</summary>
internal sealed class Divergence(StepContext context, Model forward, WeightStore store, double learningRate)
{
    /// <summary>BML6060: a loss is NaN or infinite.</summary>
    public DiagnosticException OfLoss(float loss, FeedBatch batch, long step, long steps) => new(
        "BML6060",
        $"The loss is {loss.ToString(CultureInfo.InvariantCulture)} in step {step + 1} of {steps} (epoch {batch.Epoch + 1}); expected a number. {Origin(batch)} {Advice(step)}");

    /// <summary>BML6061: a gradient is NaN or infinite while the loss is finite.</summary>
    public DiagnosticException OfGradient(TrainedWeight weight, FeedBatch batch, long step, long steps) => new(
        "BML6061",
        $"The gradient of '{weight.Name}' is not finite in step {step + 1} of {steps} (epoch {batch.Epoch + 1}), and it is the first such one; expected numbers. {Advice(step)}");

    /// <summary>BML6062: the result has weights that are not finite.</summary>
    public DiagnosticException OfResult(string weight, long steps) => new(
        "BML6062", $"After {steps} steps '{weight}' has elements that are NaN or infinite; expected numbers. {Advice(steps)}");

    private string Advice(long step) =>
        $"The learning rate is {learningRate.ToString("g4", CultureInfo.InvariantCulture)}: try a tenth of it, 'warmup' in the schedule"
        + (step < 10 ? "" : ", 'clip_norm: 1'") + ", or clip_norm where gradients grow; and check the data for values that are not finite or not normalized.";

    // The first wrong number on the way forward: in the batch, in the weights, or in the first node's result.
    private string Origin(FeedBatch batch)
    {
        foreach (var (name, buffer) in batch.Inputs)
        {
            if (buffer.Type == DataType.Float && FirstBad(buffer.Span<float>()) is var at && at >= 0)
            {
                var sample = batch.Indices[(int)(at / Math.Max(1, buffer.Count / batch.Indices.Length))];
                return $"Sample {sample} of the training data has an element of '{BatchSizes.NameOf(name, forward)}' that is not finite.";
            }
        }

        foreach (var weight in store.Weights)
        {
            if (FirstBad(weight.Weights.Span<float>()) >= 0)
            {
                return $"The weight '{weight.Name}' is not finite: the step before made it so.";
            }
        }

        return FirstNode(batch) is { } node
            ? $"The first layer whose result is not finite is {node}."
            : "All layers' results are finite in use: it is the loss itself, or the batch's own statistics.";
    }

    private string? FirstNode(FeedBatch batch)
    {
        using var model = forward.Clone();
        foreach (var weight in store.Weights)
        {
            model.Graph.SetInitializer(model.Graph.Find(weight.Name)!, weight.Weights.ToTensor());
        }

        foreach (var input in model.Graph.Inputs.Where(i => i.Initializer is null))
        {
            input.Type = input.Type is TensorType type ? new TensorType(type.ElementType) : input.Type; // a batch of the training's size
        }

        var nodes = model.Graph.Nodes.Where(n => n.Outputs.Count > 0 && n.Outputs[0].Name.Length > 0).ToArray();
        using var session = context.Inference.Open(
            model, new InferenceOptions { Optimize = false, Threads = context.Threads, ExtraOutputs = [.. nodes.Select(n => n.Outputs[0].Name)] });
        var results = session.Run([.. batch.Inputs.Select(i => KeyValuePair.Create(i.Key, i.Value.ToTensor()))]);
        var byName = session.Outputs.Zip(results).ToDictionary(r => r.First, r => r.Second, StringComparer.Ordinal);
        return nodes.FirstOrDefault(n => !IsFinite(byName[n.Outputs[0].Name])) is { } first ? first.DisplayName : null;
    }

    private static bool IsFinite(Tensor tensor)
    {
        if (tensor.Type != DataType.Float)
        {
            return true;
        }

        using var view = tensor.Read<float>();
        return FirstBad(view.Span) < 0;
    }

    /// <summary>Index of the first element that is not finite, or −1. Masks are of use though infinite, but no batch and no weight is one.</summary>
    private static long FirstBad(ReadOnlySpan<float> values)
    {
        for (var i = 0; i < values.Length; i++)
        {
            if (!float.IsFinite(values[i]))
            {
                return i;
            }
        }

        return -1;
    }
}
