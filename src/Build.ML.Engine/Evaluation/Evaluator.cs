using System.Collections.Immutable;
using Build.ML.Abstractions.Data;
using Build.ML.Abstractions.Inference;
using Build.ML.Abstractions.Metrics;
using Build.ML.Engine.Data;
using Build.ML.Engine.Running;
using Build.ML.Engine.Work;
using Build.ML.Graph;
using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Tensors;
using Build.ML.Recipes;

namespace Build.ML.Engine.Evaluation;

/// <summary>
/// Takes all figures of one model. The data goes through the model once for all metrics of outputs; samples one by one, as an app would feed them,
/// because batches would change what dynamic quantization yields. Samples run in parallel, one session a core with one thread each, and are added in
/// order: the figures do not depend on the number of cores.
/// </summary>
internal sealed class Evaluator(ItemContext context, Recipes.Evaluation evaluation)
{
    private readonly CancellableInference _inference = new(context.Services.Inference, context.Scratch, context.Cancellation);

    /// <summary>Takes the figures of the source model, a step's result or another model of the context.</summary>
    public ImmutableArray<Measurement> Run(string modelName)
    {
        using var model = context.OpenModel(modelName);
        return Run(model, () => context.ModelFile(modelName));
    }

    /// <summary>Takes the figures of a model.</summary>
    /// <param name="model">The model.</param>
    /// <param name="modelFile">Its file; asked for only when a metric looks at it.</param>
    public ImmutableArray<Measurement> Run(Model model, Func<string> modelFile)
    {
        var metrics = evaluation.Metrics
            .Select(use => (Use: use, Metric: context.Services.Catalogs.Metrics.Find(use.Metric)!.Create(),
                Options: context.Files.Localize(use.Options, use.Location, context.Cancellation)))
            .ToList();
        var data = evaluation.Data is null ? null : new DataSets(context).Open(evaluation.Data);
        using var source = context.OpenModel(Recipe.SourceModel);
        var accumulators = metrics.Select(m => (m.Metric as IOutputMetric)?.Begin(m.Options)).ToList();
        if (accumulators.Exists(a => a is not null))
        {
            Feed(data ?? throw NoData(metrics.First(m => m.Metric is IOutputMetric).Use), model,
                metrics.Exists(m => m.Metric.NeedsSourceOutputs) ? source : null,
                [.. accumulators.Zip(metrics).Where(p => p.First is not null).Select(p => (p.First!, p.Second.Metric.NeedsSourceOutputs))]);
        }

        var measure = metrics.TrueForAll(m => m.Metric is IOutputMetric) ? null : new MetricContext
        {
            Model = model,
            ModelFile = modelFile(),
            Source = source,
            SourceFile = context.ModelFile(Recipe.SourceModel),
            Data = data,
            Inference = _inference,
            Cancellation = context.Cancellation,
        };
        var figures = ImmutableArray.CreateBuilder<Measurement>();
        for (var i = 0; i < metrics.Count; i++)
        {
            var (use, metric, options) = metrics[i];
            context.Progress.Report(new(FeedShare + ((1 - FeedShare) * i / metrics.Count), use.Metric));
            context.Cancellation.ThrowIfCancellationRequested();
            var values = accumulators[i]?.Result() ?? ((IModelMetric)metric).Measure(options, measure!);
            figures.AddRange(values.Select(v => new Measurement(v, metric.DependsOnMachine)));
        }

        return figures.DistinctBy(f => f.Value.Name).Count() == figures.Count ? figures.ToImmutable() : throw TwiceNamed(figures);
    }

    // Share of the progress bar for running the data; the rest is for metrics that run the model themselves.
    private const double FeedShare = 0.7;

    private void Feed(DataSet data, Model model, Model? source, ImmutableArray<(IMetricAccumulator Accumulator, bool WantsSource)> accumulators)
    {
        var lanes = Enumerable.Range(0, Math.Min(context.Threads, data.Count)).Select(_ => new Lane(_inference, model, source)).ToArray();
        try
        {
            var results = new (Batch Batch, ImmutableArray<Tensor> Outputs, ImmutableArray<Tensor> Source)[lanes.Length];
            for (var first = 0; first < data.Count; first += lanes.Length)
            {
                var count = Math.Min(lanes.Length, data.Count - first);
                var begin = first;
                Parallel.For(0, count, i => results[i] = lanes[i].Run(data[begin + i]));
                foreach (var (batch, outputs, sourceOutputs) in results.AsSpan(0, count))
                {
                    foreach (var (accumulator, wantsSource) in accumulators)
                    {
                        accumulator.Add(batch, outputs, wantsSource ? sourceOutputs : []);
                    }
                }

                context.Progress.Report(new(FeedShare * (first + count) / data.Count, "running the data"));
            }
        }
        catch (AggregateException e) when (e.Flatten().InnerExceptions is var inner && inner.FirstOrDefault(x => x is DiagnosticException or OperationCanceledException) is { } first)
        {
            System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(first);
        }
        finally
        {
            foreach (var lane in lanes)
            {
                lane.Dispose();
            }
        }
    }

    private static DiagnosticException NoData(MetricUse use) => new("BML6003",
        $"Metric '{use.Metric}' is taken on data, but 'evaluate:' names none; add 'data:' with the name of a data set.", use.Location);

    private DiagnosticException TwiceNamed(IEnumerable<Measurement> figures) => new("BML6004",
        $"Two metrics yield a figure named '{figures.GroupBy(f => f.Value.Name).First(g => g.Count() > 1).Key}'; keep one of them.", evaluation.Location);

    /// <summary>Sessions for one sample at a time.</summary>
    private sealed class Lane(IInference inference, Model model, Model? source) : IDisposable
    {
        private readonly IInferenceSession _model = inference.Open(model);
        private readonly IInferenceSession? _source = source is null ? null : inference.Open(source);

        public (Batch Batch, ImmutableArray<Tensor> Outputs, ImmutableArray<Tensor> Source) Run(Sample sample)
        {
            var batch = sample.AsBatch();
            return (batch, _model.Run(batch.Inputs), _source?.Run(batch.Inputs) ?? []);
        }

        public void Dispose()
        {
            _model.Dispose();
            _source?.Dispose();
        }
    }
}
