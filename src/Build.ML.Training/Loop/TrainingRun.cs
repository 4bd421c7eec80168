using System.Diagnostics;
using System.Globalization;
using Build.ML.Abstractions.Techniques;
using Build.ML.Graph;
using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Passes;
using Build.ML.Training.Feed;

namespace Build.ML.Training;

/// <summary>One run of the training loop.</summary>
internal sealed class TrainingRun : IDisposable
{
    // A checkpoint may take this share of the time, however large the model is.
    private const int CheckpointShare = 20;

    // Progress is told at most this often.
    private static readonly TimeSpan TellInterval = TimeSpan.FromMilliseconds(200);

    private readonly StepContext _context;
    private readonly Model _model;
    private readonly TrainingPlan _plan;
    private readonly TrainingOptions _options;
    private readonly TimeSpan _checkpointInterval;
    private readonly TrainingCheckpoint _checkpoint;
    private readonly TrainingFeed _feed;
    private readonly Dictionary<FeedShape, BatchSession> _sessions = [];
    private readonly WeightStore _store;
    private readonly WeightUpdate _update;
    private readonly Validator? _validator;
    private readonly TrainingProgress _progress = new();
    private readonly TrainingState _state;
    private readonly long _steps;
    private readonly long _validateEvery;

    /// <summary>Opens data and the first session.</summary>
    public TrainingRun(StepContext context, Model model, TrainingPlan plan, TimeSpan checkpointInterval)
    {
        (_context, _model, _plan, _options, _checkpointInterval) = (context, model, plan, plan.Options, checkpointInterval);
        _checkpoint = new TrainingCheckpoint(context.CheckpointDirectory);
        PassPipeline.Of(["constants-to-initializers"]).Run(model); // so that each weight has a place to go back to
        new RemoveInitializerInputs().Run(model);
        CheckPatterns();
        _feed = new TrainingFeed(
            context.Data(_options.Data),
            new FeedOptions
            {
                BatchSize = _options.BatchSize,
                Seed = context.Seed,
                ShuffleWindow = _options.ShuffleWindow,
                Augmentations = _options.Augment,
                Buckets = _options.Buckets,
                Name = $"training data '{_options.Data.Name}'",
            },
            context.Cancellation);
        try
        {
            var perEpoch = (double)_feed.StepsPerEpoch / _options.Accumulate;
            _steps = _options.Steps ?? Math.Max(1, (long)Math.Ceiling(_options.Epochs * perEpoch));
            _validateEvery = Math.Max(1, (long)Math.Round(_options.ValidateEvery * perEpoch));
            var first = NewSession(_feed.Shapes[0]);
            _store = new WeightStore(model, first.Model, _options);
            first.Bind(_store);
            _update = new WeightUpdate(_options.Optimizer, _store.Weights, context.Threads);
            _state = new TrainingState(_store, _steps);
            _validator = _options.Validation is null ? null : new Validator(context, model, plan, _store);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Trains to the end and puts the weights into the model.</summary>
    public TrainingResult Complete()
    {
        foreach (var hook in _plan.Hooks)
        {
            hook.Begin(_state);
        }

        _checkpoint.TryLoad(_progress, _store, _plan.Hooks);
        var sinceCheckpoint = Stopwatch.StartNew();
        var interval = _checkpointInterval;
        var sinceTold = Stopwatch.StartNew();
        Tell();
        while (_progress.Step < _steps && !IsStale)
        {
            _context.Cancellation.ThrowIfCancellationRequested();
            Step();
            if (_validator is not null && (_progress.Step % _validateEvery == 0 || _progress.Step == _steps))
            {
                Validate();
            }

            if (_checkpoint.IsKept && sinceCheckpoint.Elapsed >= interval)
            {
                sinceCheckpoint.Restart();
                _checkpoint.Save(_progress, _store, _plan.Hooks);
                interval = _checkpointInterval == TimeSpan.Zero ? TimeSpan.Zero : TimeSpan.FromTicks(Math.Max(_checkpointInterval.Ticks, sinceCheckpoint.Elapsed.Ticks * CheckpointShare));
            }

            if (sinceTold.Elapsed >= TellInterval || _progress.Step == _steps)
            {
                Tell();
                sinceTold.Restart();
            }
        }

        return Finish();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _feed.Dispose();
        foreach (var session in _sessions.Values)
        {
            session.Dispose();
        }

        _validator?.Dispose();
        _store?.Dispose();
    }

    private bool IsStale => _options.Patience is { } patience && _progress.Best >= 0 && _progress.SinceBest >= patience;

    private void Step()
    {
        var step = _progress.Step;
        var rate = _options.Optimizer.LearningRate * _options.Schedule.Factor(step, _steps);
        var loss = 0f;
        FeedBatch? batch = null;
        for (var part = 0; part < _options.Accumulate; part++)
        {
            batch = _feed.Take(step * _options.Accumulate + part, _context.Cancellation);
            var ofBatch = SessionOf(batch.Shape).Run(batch);
            if (!float.IsFinite(ofBatch))
            {
                throw new Divergence(_context, _model, _store, rate).OfLoss(ofBatch, batch, step, _steps);
            }

            loss += ofBatch / _options.Accumulate;
            foreach (var statistic in _store.Statistics)
            {
                statistic.Follow();
            }

            if (_options.Accumulate > 1)
            {
                _update.Accumulate(first: part == 0);
            }
        }

        var norm = _update.GradientNorm() / _options.Accumulate;
        if (!double.IsFinite(norm))
        {
            throw new Divergence(_context, _model, _store, rate).OfGradient(_update.FirstNotFinite()!, batch!, step, _steps);
        }

        _state.Step = step;
        _state.LearningRate = rate;
        _state.GradientScale = (float)(Math.Min(1, (_options.ClipNorm ?? double.PositiveInfinity) / norm) / _options.Accumulate);
        foreach (var hook in _plan.Hooks)
        {
            hook.BeforeUpdate(_state);
        }

        _update.Apply(step + 1, rate, _state.GradientScale);
        foreach (var hook in _plan.Hooks)
        {
            hook.AfterUpdate(_state);
        }

        if (_options.Average is { } average)
        {
            var decay = Math.Min(average, (1d + step) / (10 + step));
            _update.Average(decay);
            foreach (var statistic in _store.Statistics)
            {
                statistic.Average(decay);
            }
        }

        _progress.Step++;
        _progress.Add(loss);
    }

    private void Validate()
    {
        FinishWeights();
        var (value, higherIsBetter) = _validator!.Validate();
        if (_progress.Add(value, higherIsBetter))
        {
            _store.KeepBest();
        }

        Tell();
    }

    private TrainingResult Finish()
    {
        if (_validator is not null)
        {
            _store.RestoreBest();
        }

        FinishWeights();
        if (_store.FirstNotFinite() is { } wrong)
        {
            throw new Divergence(_context, _model, _store, _options.Optimizer.LearningRate).OfResult(wrong, _progress.Step);
        }

        _store.WriteTo(_model);
        var best = _progress.Best >= 0 ? _progress.Validations[_progress.Best] : null;
        return new TrainingResult(_model, _progress.Step, _progress.Loss)
        {
            Validations = _progress.Validations,
            Best = best,
            WaitedForData = _feed.Waited,
            Trained = (_store.Weights.Length, _store.Weights.Sum(w => w.Weights.Count)),
            Notes = [.. Notes(best)],
        };
    }

    private IEnumerable<string> Notes(TrainingRecord? best)
    {
        yield return string.Create(
            CultureInfo.InvariantCulture,
            $"{_store.Weights.Length} weights ({_store.Weights.Sum(w => w.Weights.Count):N0} numbers) trained in {_progress.Step:N0} steps; the loss ended at {_progress.Loss:g4}.");
        if (best is not null)
        {
            var figure = _options.Metric?.Name ?? "loss";
            yield return string.Create(CultureInfo.InvariantCulture, $"Validation {figure} was best after {best.Step:N0} steps: {best.Validation:g5}.");
        }

        if (_progress.Step < _steps)
        {
            yield return string.Create(
                CultureInfo.InvariantCulture, $"Training stopped {_steps - _progress.Step:N0} steps early: {_options.Patience} validations in a row were no better than the best.");
        }
    }

    private void FinishWeights()
    {
        _store.IsFinishing = true;
        foreach (var hook in _plan.Hooks)
        {
            hook.Finish(_state);
        }

        _store.IsFinishing = false;
    }

    private void Tell()
    {
        var perEpoch = Math.Max(1d, (double)_feed.StepsPerEpoch / _options.Accumulate);
        var epochs = Math.Ceiling(_steps / perEpoch);
        var epoch = Math.Min(epochs, Math.Floor(_progress.Step / perEpoch) + 1);
        _context.Progress.Report(new StepProgress(
            (double)_progress.Step / _steps,
            string.Create(CultureInfo.InvariantCulture, $"{_plan.Phase}: epoch {epoch}/{epochs}, step {_progress.Step}/{_steps}"),
            _progress.Step == 0 ? null : _progress.Loss));
    }

    private BatchSession SessionOf(FeedShape shape)
    {
        if (!_sessions.TryGetValue(shape, out var session))
        {
            session = NewSession(shape);
            session.Bind(_store);
        }

        return session;
    }

    private BatchSession NewSession(FeedShape shape)
    {
        var session = new BatchSession(_context, _model, _plan, shape, IsTrained, evaluate: false);
        _sessions.Add(shape, session);
        return session;
    }

    private bool IsTrained(Value value) =>
        !TrainableWeights.IsStatistic(value) && _plan.Trainable(value) && !_options.Frozen.Any(p => new Abstractions.Selection.NamePattern(p).Matches(value.Name));

    // A pattern that fits nothing is a mistake, as everywhere.
    private void CheckPatterns()
    {
        var names = _model.Graph.Initializers.Select(i => i.Name).ToArray();
        var unused = _options.Frozen.Concat(_options.Groups.SelectMany(g => g.Parameters))
            .Where(p => !names.Any(new Abstractions.Selection.NamePattern(p).Matches)).ToArray();
        if (unused.Length > 0)
        {
            throw new DiagnosticException(
                [.. unused.Select(p => new Diagnostic(
                    "BML6057", $"The pattern '{p}' under 'frozen' or 'groups' fits no weight of the model; weights are named such as "
                    + $"{string.Join(", ", names.Take(3).Select(n => $"'{n}'"))}. Correct the pattern or remove it."))]);
        }
    }
}
