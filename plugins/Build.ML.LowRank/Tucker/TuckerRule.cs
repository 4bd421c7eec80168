using System.Collections.Immutable;
using System.Globalization;
using Build.ML.Abstractions.Techniques;
using Build.ML.Calibration.Layers;
using Build.ML.Calibration.LinearAlgebra;
using Build.ML.Graph;
using Build.ML.LowRank.Layers;
using Build.ML.LowRank.Ranks;

namespace Build.ML.LowRank.Tucker;

/// <summary>The ranks of a layer's parts, or why it stays as it is.</summary>
/// <param name="Ranks">Nothing where it stays.</param>
/// <param name="Reason">Why; null where it is factored.</param>
/// <param name="Figures">Figures for the report.</param>
internal sealed record TuckerChoice(TuckerRanks Ranks, string? Reason, ImmutableArray<KeyValuePair<string, double>> Figures)
{
    /// <summary>The layer is factored.</summary>
    public static TuckerChoice Of(TuckerRanks ranks, params ImmutableArray<KeyValuePair<string, double>> figures) => new(ranks, null, figures);

    /// <summary>The layer stays.</summary>
    public static TuckerChoice Left(FormattableString reason) => new(default, reason.ToString(CultureInfo.InvariantCulture), []);
}

/// <summary>Chooses the ranks of convolutions as the options say.</summary>
internal sealed class TuckerRule
{
    private readonly TuckerFactorization.Options _options;
    private readonly StepContext _context;
    private readonly LayerTiming? _timing;
    private readonly Dictionary<WeightLayer, TuckerRanks> _allocated = []; // of a budget: a layer that is not here stays whole

    /// <summary>Allocates a budget, if one is given.</summary>
    /// <param name="layers">All layers.</param>
    /// <param name="options">One of them decides.</param>
    /// <param name="model">The model, for measuring.</param>
    /// <param name="context">Seed, threads, runtime.</param>
    public TuckerRule(ImmutableArray<WeightLayer> layers, TuckerFactorization.Options options, Model model, StepContext context)
    {
        (_options, _context) = (options, context);
        _timing = options.Latency is null ? null : new(model, 1, context);
        if (options.Budget is { } budget)
        {
            Allocate([.. layers.Where(l => Positions(l) > 1)], budget);
        }
    }

    /// <summary>Elements of a layer's kernel for a pair of channels.</summary>
    public static int Positions(WeightLayer layer) => layer.Columns / (int)layer.Tensor.Sizes[1];

    /// <summary>Chooses.</summary>
    /// <param name="layer">A layer of more than one position.</param>
    /// <param name="kernel">Its weight.</param>
    public TuckerChoice Choose(WeightLayer layer, FloatMatrix kernel)
    {
        if (_timing is not null)
        {
            return Measured(layer, _timing);
        }

        if (_options.Budget is not null)
        {
            return _allocated.TryGetValue(layer, out var ranks) ? TuckerChoice.Of(ranks) : TuckerChoice.Left($"the budget leaves it whole: what others lose by lower ranks weighs less");
        }

        var (inputs, positions) = ((int)layer.Tensor.Sizes[1], Positions(layer));
        return TuckerChoice.Of(
            _options.Ratio is { } ratio ? TuckerRanks.OfRatio(inputs, layer.Rows, positions, ratio)
            : _options.Energy is { } energy ? TuckerRanks.OfEnergy(kernel, positions, energy, _context.Threads)
            : new(Math.Min(_options.Ranks[0], inputs), Math.Min(_options.Ranks[1], layer.Rows)));
    }

    private TuckerChoice Measured(WeightLayer layer, LayerTiming timing)
    {
        if (timing.Obstacle(layer) is { } obstacle)
        {
            return TuckerChoice.Left($"it cannot be timed: {obstacle}");
        }

        var inputs = (int)layer.Tensor.Sizes[1];
        var multiple = Math.Min(inputs, layer.Rows) >= 16 ? 8 : 1;
        TuckerRanks OfSize(int size)
        {
            var outputs = Math.Min(size * multiple, layer.Rows);
            return new(Math.Clamp((int)Math.Round((double)outputs * inputs / layer.Rows / multiple) * multiple, Math.Min(multiple, inputs), inputs), outputs);
        }

        var (size, speedup) = timing.Greatest(layer, _options.Latency!.Value, Math.Max(layer.Rows / multiple, 1), (like, size) =>
        {
            var ranks = OfSize(size);
            using var parts = new TuckerDecomposition(
                new FloatMatrix(ranks.Outputs, like.Rows), new FloatMatrix(ranks.Inputs, inputs), new FloatMatrix(ranks.Outputs, (long)ranks.Inputs * Positions(like)), 0, 0);
            TuckerEdit.Apply(like, parts);
        });
        return size > 0 ? TuckerChoice.Of(OfSize(size), [new("speedup", speedup)])
            : TuckerChoice.Left(
                $"no gain was measured: ranks {OfSize(1).Inputs} and {OfSize(1).Outputs} are {speedup:0.00} times as fast as the layer, {_options.Latency} was asked for");
    }

    private void Allocate(ImmutableArray<WeightLayer> layers, double budget)
    {
        var ways = new List<(TuckerRanks Ranks, double Loss)>[layers.Length];
        var options = new List<RankOption>[layers.Length];
        for (var i = 0; i < layers.Length; i++)
        {
            var layer = layers[i];
            _context.Cancellation.ThrowIfCancellationRequested();
            _context.Progress.Report(new(0, $"singular values {i + 1}/{layers.Length} {layer.Name}"));
            var (inputs, positions, before) = ((int)layer.Tensor.Sizes[1], Positions(layer), (long)layer.Rows * layer.Columns);
            using var kernel = LayerFactors.Read(layer);
            ways[i] =
            [
                .. TuckerRanks.Ways(kernel, positions, _context.Threads)
                    .Where(w => w.Ranks.Parameters(inputs, layer.Rows, positions) < before && w.Ranks.Multiplications(layer, inputs, positions) < before),
            ];
            options[i] = [.. ways[i].Select(w => new RankOption(w.Ranks.Parameters(inputs, layer.Rows, positions), w.Loss)), new(before, 0)];
        }

        var chosen = BudgetAllocation.Of(options, budget);
        for (var i = 0; i < chosen.Length; i++)
        {
            if (chosen[i] < ways[i].Count)
            {
                _allocated.Add(layers[i], ways[i][chosen[i]].Ranks);
            }
        }
    }
}
