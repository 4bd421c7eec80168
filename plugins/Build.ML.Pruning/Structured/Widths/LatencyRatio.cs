using System.Collections.Immutable;
using Build.ML.Abstractions.Inference;
using Build.ML.Abstractions.Techniques;
using Build.ML.Graph;
using Build.ML.Graph.Tensors;

namespace Build.ML.Pruning.Structured.Widths;

/// <summary>Measured time of models over that of one model, each timed in turns with it, so that what disturbs the machine disturbs both alike.</summary>
internal sealed class LatencyRatio : IDisposable
{
    private const int Warmup = 3;

    // Rounds go on until there were so many and so much time.
    private const int LeastRounds = 15;
    private static readonly TimeSpan LeastTime = TimeSpan.FromSeconds(0.5);

    private readonly StepContext _context;
    private readonly TimeProvider _time;
    private readonly IInferenceSession _original;
    private readonly ImmutableArray<KeyValuePair<string, Tensor>> _feeds;

    /// <summary>Opens the model that others are compared with.</summary>
    /// <param name="original">The model; not needed afterwards.</param>
    /// <param name="feeds">What a run is fed.</param>
    /// <param name="context">Runs models.</param>
    /// <param name="time">Measures.</param>
    public LatencyRatio(Model original, ImmutableArray<KeyValuePair<string, Tensor>> feeds, StepContext context, TimeProvider time)
    {
        (_feeds, _context, _time) = (feeds, context, time);
        _original = context.Inference.Open(original);
    }

    /// <summary>The median of the ratios of rounds, in each of which both run once.</summary>
    public double Of(Model model)
    {
        using var session = _context.Inference.Open(model);
        var ratios = new List<double>();
        var start = _time.GetTimestamp();
        for (var round = -Warmup; round < LeastRounds || _time.GetElapsedTime(start) < LeastTime; round++)
        {
            _context.Cancellation.ThrowIfCancellationRequested();
            double own, other;
            if (round % 2 == 0)
            {
                (own, other) = (Seconds(session), Seconds(_original));
            }
            else
            {
                (other, own) = (Seconds(_original), Seconds(session));
            }

            if (round >= 0)
            {
                ratios.Add(own / other);
            }
        }

        ratios.Sort();
        return ratios[ratios.Count / 2];
    }

    /// <inheritdoc/>
    public void Dispose() => _original.Dispose();

    private double Seconds(IInferenceSession session)
    {
        var start = _time.GetTimestamp();
        session.Run(_feeds);
        return _time.GetElapsedTime(start).TotalSeconds;
    }
}
