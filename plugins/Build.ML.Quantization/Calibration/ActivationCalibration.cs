using System.Runtime.ExceptionServices;
using Build.ML.Abstractions.Data;
using Build.ML.Abstractions.Inference;
using Build.ML.Abstractions.Techniques;
using Build.ML.Graph;
using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Tensors;

namespace Build.ML.Quantization.Calibration;

/// <summary>
/// Runs a model on data and keeps a histogram of each activation asked for, never the activations. Where those of one batch would take more than
/// <see cref="ActivationBudget"/>, they are observed in several passes over the data. Threads work on different batches; as histograms merge exactly, the result
/// does not depend on their number.
/// </summary>
/// <param name="context">Inference, threads, progress.</param>
internal sealed class ActivationCalibration(StepContext context)
{
    /// <summary>Bytes of activations that one run may return to each thread.</summary>
    public const long ActivationBudget = 256L << 20;

    /// <summary>Samples run together, where the model leaves that free.</summary>
    public const int BatchSize = 8;

    /// <summary>Observes activations.</summary>
    /// <param name="model">The model; not changed.</param>
    /// <param name="values">Names of float values of its main graph: inputs or outputs of nodes.</param>
    /// <param name="data">At least one sample.</param>
    /// <exception cref="DiagnosticException">BML5407: no data. BML5405: an activation is NaN or infinite.</exception>
    public IReadOnlyDictionary<string, ActivationHistogram> Observe(Model model, IReadOnlyList<string> values, DataSet data)
    {
        if (data.Count == 0)
        {
            throw new DiagnosticException("BML5407", "The calibration data holds no sample, at least one is needed: a few hundred are usual. Check its limit and files.");
        }

        var histograms = values.ToDictionary(v => v, _ => new ActivationHistogram());
        var batchSize = Batching.SizeFor(model, BatchSize);
        var passes = Passes(model, values, data, batchSize);
        for (var pass = 0; pass < passes.Count; pass++)
        {
            try
            {
                ObservePass(model, passes[pass], data, batchSize, histograms, (double)pass / passes.Count, 1.0 / passes.Count);
            }
            catch (AggregateException e) when (e.InnerException is not null)
            {
                ExceptionDispatchInfo.Throw(e.InnerException); // what one thread met, as it was
            }
        }

        return histograms;
    }

    private void ObservePass(
        Model model, List<string> values, DataSet data, int batchSize, Dictionary<string, ActivationHistogram> histograms, double done, double share)
    {
        var gate = new Lock();
        var seen = 0;
        using var batches = data.Batches(batchSize).GetEnumerator();
        var inputs = model.Graph.Inputs.Select(i => i.Name).ToHashSet();
        var extra = values.Where(v => !inputs.Contains(v)).ToArray();
        Parallel.For(0, Math.Max(context.Threads, 1), new ParallelOptions { MaxDegreeOfParallelism = Math.Max(context.Threads, 1) }, _ =>
        {
            var own = values.ToDictionary(v => v, _ => new ActivationHistogram());
            using var session = context.Inference.Open(model, new InferenceOptions { ExtraOutputs = [.. extra] });
            while (Next() is { } batch)
            {
                context.Cancellation.ThrowIfCancellationRequested();
                foreach (var (name, tensor) in batch.Inputs)
                {
                    if (own.TryGetValue(name.Length == 0 ? session.Inputs[0].Key : name, out var histogram))
                    {
                        Add(name, tensor, histogram);
                    }
                }

                var outputs = session.Run(batch.Inputs);
                for (var i = 0; i < outputs.Length; i++)
                {
                    if (own.TryGetValue(session.Outputs[i], out var histogram))
                    {
                        Add(session.Outputs[i], outputs[i], histogram);
                    }
                }
            }

            lock (gate)
            {
                foreach (var (name, histogram) in own)
                {
                    histograms[name].Merge(histogram);
                }
            }
        });

        Batch? Next()
        {
            lock (gate)
            {
                if (!batches.MoveNext())
                {
                    return null;
                }

                seen += batches.Current.Count;
                context.Progress.Report(new(done + share * seen / data.Count, "calibrating"));
                return batches.Current;
            }
        }
    }

    private static void Add(string name, Tensor tensor, ActivationHistogram histogram)
    {
        using var view = tensor.Read<float>();
        if (!histogram.Add(view.Span))
        {
            throw new DiagnosticException(
                "BML5405", $"On the calibration data the activation '{name}' is NaN or infinite, so it has no range. Check the data, or exclude the layers that read it.");
        }
    }

    /// <summary>Divides the values so that those of one pass fit the budget, by their sizes for the first sample.</summary>
    private List<List<string>> Passes(Model model, IReadOnlyList<string> values, DataSet data, int batchSize)
    {
        var inputs = model.Graph.Inputs.Select(i => i.Name).ToHashSet();
        var extra = values.Where(v => !inputs.Contains(v)).ToArray();
        using var session = context.Inference.Open(model, new InferenceOptions { ExtraOutputs = [.. extra] });
        var outputs = session.Run(data.Batches(1).First().Inputs);
        var bytes = new Dictionary<string, long>();
        for (var i = 0; i < outputs.Length; i++)
        {
            bytes[session.Outputs[i]] = outputs[i].ByteLength * batchSize;
        }

        List<List<string>> passes = [[]];
        long sum = 0;
        foreach (var value in values)
        {
            var size = bytes.GetValueOrDefault(value);
            if (sum + size > ActivationBudget && passes[^1].Count > 0)
            {
                passes.Add([]);
                sum = 0;
            }

            passes[^1].Add(value);
            sum += size;
        }

        return passes;
    }
}
