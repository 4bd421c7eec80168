using Build.ML.Abstractions.Metrics;
using Build.ML.Abstractions.Techniques;
using Build.ML.Graph;
using Build.ML.Training.Feed;

namespace Build.ML.Training;

/// <summary>
/// How good the present result is: the mean loss over the validation data as in use (running statistics, no dropout, no augmentation), or a metric of the recipe. What the last batch lacks
/// is filled with samples that then count twice.
/// </summary>
internal sealed class Validator : IDisposable
{
    private readonly StepContext _context;
    private readonly Model _forward;
    private readonly TrainingPlan _plan;
    private readonly WeightStore _store;
    private readonly Dictionary<FeedShape, BatchSession> _sessions = [];
    private readonly TrainingFeed? _feed;

    /// <summary>Opens the validation data.</summary>
    public Validator(StepContext context, Model forward, TrainingPlan plan, WeightStore store)
    {
        (_context, _forward, _plan, _store) = (context, forward, plan, store);
        var options = plan.Options;
        if (options.Metric is null)
        {
            _feed = new TrainingFeed(
                context.Data(options.Validation!.Value),
                new FeedOptions { BatchSize = options.BatchSize, Shuffle = false, Buckets = options.Buckets, Name = $"validation data '{options.Validation.Value.Name}'" },
                context.Cancellation);
        }
    }

    /// <summary>The figure, and which way is better.</summary>
    public (double Value, bool HigherIsBetter) Validate()
    {
        if (_plan.Options.Metric is { } metric)
        {
            using var candidate = _forward.Clone();
            _store.WriteTo(candidate);
            var figures = _context.Evaluate(candidate, _plan.Options.Validation!.Value, [metric]);
            var figure = figures.FirstOrDefault(f => f.Name == metric.Name) ?? figures[0];
            return (figure.Value, figure.Direction == Direction.HigherIsBetter);
        }

        var sum = 0d;
        for (var step = 0L; step < _feed!.StepsPerEpoch; step++)
        {
            var batch = _feed.Take(step, _context.Cancellation);
            sum += SessionOf(batch.Shape).Run(batch);
        }

        return (sum / _feed.StepsPerEpoch, false);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _feed?.Dispose();
        foreach (var session in _sessions.Values)
        {
            session.Dispose();
        }
    }

    private BatchSession SessionOf(FeedShape shape)
    {
        if (!_sessions.TryGetValue(shape, out var session))
        {
            var names = _store.Results.Select(r => r.Name).ToHashSet(StringComparer.Ordinal);
            session = new BatchSession(_context, _forward, _plan, shape, v => names.Contains(v.Name), evaluate: true);
            _sessions.Add(shape, session);
            session.Bind(_store);
        }

        return session;
    }
}
