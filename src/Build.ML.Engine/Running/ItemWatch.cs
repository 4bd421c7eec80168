using System.Collections.Immutable;
using System.Globalization;
using System.Text;
using Build.ML.Abstractions.Techniques;
using Build.ML.Graph.Diagnostics;

namespace Build.ML.Engine.Running;

/// <summary>Passes on what a running item says: to the observer, to the outcome, and to <c>log.txt</c>.</summary>
internal sealed class ItemWatch(WorkItem item, IBuildObserver observer, TimeProvider time) : IProgress<StepProgress>
{
    // Before this share of the work, an estimate of the rest would jump about.
    private const double LeastFraction = 0.02;

    private readonly Lock _lock = new();
    private long _start = time.GetTimestamp();
    private readonly ImmutableArray<Diagnostic>.Builder _diagnostics = ImmutableArray.CreateBuilder<Diagnostic>();
    private readonly StringBuilder _log = new();
    private string _phase = "";

    public TimeSpan Elapsed => time.GetElapsedTime(_start);

    public string Log
    {
        get
        {
            lock (_lock)
            {
                return _log.ToString();
            }
        }
    }

    /// <summary>Counts the time from now: waiting for cores is no work.</summary>
    public void Restart() => _start = time.GetTimestamp();

    public void Report(StepProgress value)
    {
        lock (_lock)
        {
            if (value.Phase != _phase)
            {
                _phase = value.Phase;
                Line(_phase);
            }

            observer.ItemProgress(item, value, Remaining(value.Fraction));
        }
    }

    public void Report(Diagnostic diagnostic)
    {
        lock (_lock)
        {
            // The log goes to the cache: no path of this machine in it.
            Line(diagnostic.ToString());
            var located = diagnostic with { Location = diagnostic.Location ?? item.Work.Location };
            _diagnostics.Add(located);
            observer.Report(item, located);
        }
    }

    public void Text(string line)
    {
        lock (_lock)
        {
            observer.Text(item, line);
        }
    }

    public ItemOutcome End(ItemStatus status)
    {
        lock (_lock)
        {
            var outcome = new ItemOutcome(item.Id, status, Elapsed, _diagnostics.ToImmutable());
            observer.ItemFinished(item, outcome);
            return outcome;
        }
    }

    private TimeSpan? Remaining(double fraction) =>
        fraction is >= LeastFraction and <= 1 ? Elapsed * ((1 - fraction) / fraction) : null;

    private void Line(string text) => _log.Append(CultureInfo.InvariantCulture, $"{Elapsed.TotalSeconds,9:0.000} s  {text}\n");
}
