using System.Collections.Immutable;
using Build.ML.Abstractions.Techniques;
using Build.ML.Calibration.Layers;
using Build.ML.Graph;
using Build.ML.LowRank.Layers;
using Build.ML.LowRank.Ranks;

namespace Build.ML.LowRank.Cp;

/// <summary>Chooses the numbers of terms of convolutions as the options say.</summary>
internal sealed class CpRule
{
    private readonly CpFactorization.Options _options;
    private readonly StepContext _context;
    private readonly LayerTiming? _timing;
    private readonly Dictionary<WeightLayer, int> _allocated = []; // of a budget: a layer that is not here stays whole

    /// <summary>Allocates a budget, if one is given.</summary>
    /// <param name="layers">All layers.</param>
    /// <param name="options">One of them decides.</param>
    /// <param name="model">The model, for measuring.</param>
    /// <param name="context">Seed, threads, runtime.</param>
    public CpRule(ImmutableArray<WeightLayer> layers, CpFactorization.Options options, Model model, StepContext context)
    {
        (_options, _context) = (options, context);
        _timing = options.Latency is null ? null : new(model, 1, context);
        if (options.Budget is { } budget)
        {
            Allocate([.. layers.Where(l => Obstacle(l) is null)], budget);
        }
    }

    /// <summary>Why a layer has no such form, or null.</summary>
    public static string? Obstacle(WeightLayer layer) =>
        layer.Tensor.Sizes is { Length: not 4 } sizes ? $"its kernel has {sizes.Length - 2} dimensions, two are needed"
        : layer.Tensor.Sizes[2] * layer.Tensor.Sizes[3] == 1 ? "its kernel is 1×1, which lowrank.svd splits" : null;

    /// <summary>Numbers in a term.</summary>
    public static long Each(WeightLayer layer) => layer.Rows + layer.Tensor.Sizes[1] + layer.Tensor.Sizes[2] + layer.Tensor.Sizes[3];

    /// <summary>The most terms with fewer numbers than the layer.</summary>
    public static int Limit(WeightLayer layer) => (int)(((long)layer.Rows * layer.Columns - 1) / Each(layer));

    /// <summary>The next number of terms to try.</summary>
    public static int Next(int rank) => Math.Max(rank + 1, rank * 5 / 4);

    /// <summary>Multiplications for each position of the output: the first two parts compute more of them where the convolution strides.</summary>
    public static long Multiplications(WeightLayer layer, long rank)
    {
        var (sizes, strides) = (layer.Tensor.Sizes, layer.Node.Ints("strides"));
        var (down, across) = strides.IsDefault ? (1, 1) : (strides[0], strides[1]);
        return rank * (down * across * sizes[1] + across * sizes[2] + sizes[3] + layer.Rows);
    }

    /// <summary>Chooses; with <c>energy</c> the number to begin with.</summary>
    /// <param name="layer">A layer without <see cref="Obstacle"/>.</param>
    public RankChoice Choose(WeightLayer layer)
    {
        if (_timing is not null)
        {
            return Measured(layer, _timing);
        }

        if (_options.Budget is not null)
        {
            return _allocated.TryGetValue(layer, out var terms) ? RankChoice.Of(terms) : RankChoice.Left($"the budget leaves it whole: what others lose by fewer terms weighs less");
        }

        var rank = _options.Ratio is { } ratio ? (int)(ratio * ((long)layer.Rows * layer.Columns) / Each(layer)) : _options.Rank ?? 1;
        return rank < 1 ? RankChoice.Left($"its rank rounds to 0") : RankChoice.Of(rank);
    }

    private RankChoice Measured(WeightLayer layer, LayerTiming timing)
    {
        if (timing.Obstacle(layer) is { } obstacle)
        {
            return RankChoice.Left($"it cannot be timed: {obstacle}");
        }

        if (Limit(layer) == 0)
        {
            return RankChoice.Of(1); // nothing to measure: one term takes more numbers than the layer, which the factorization says
        }

        var multiple = Limit(layer) >= 16 ? 8 : 1;
        var (size, speedup) = timing.Greatest(
            layer, _options.Latency!.Value, Limit(layer) / multiple, (like, size) => CpEdit.Apply(like, CpDecomposition.Empty(like, size * multiple), size * multiple));
        return size > 0 ? RankChoice.Of(size * multiple, [new("speedup", speedup)])
            : RankChoice.Left($"no gain was measured: {multiple} terms are {speedup:0.00} times as fast as the layer, {_options.Latency} was asked for");
    }

    private void Allocate(ImmutableArray<WeightLayer> layers, double budget)
    {
        var ranks = new List<int>[layers.Length];
        var options = new List<RankOption>[layers.Length];
        for (var i = 0; i < layers.Length; i++)
        {
            var (layer, loss) = (layers[i], double.PositiveInfinity);
            var before = (long)layer.Rows * layer.Columns;
            using var kernel = LayerFactors.Read(layer);
            (ranks[i], options[i]) = ([], []);
            for (var rank = 1; rank <= Limit(layer) && Multiplications(layer, rank) < before; rank = Next(rank))
            {
                _context.Progress.Report(new(0, $"terms {i + 1}/{layers.Length} {layer.Name}: {rank}"));
                var cp = CpDecomposition.Of(kernel, (int)layer.Tensor.Sizes[2], (int)layer.Tensor.Sizes[3], rank, _context.Seed, _context.Threads, _context.Cancellation);
                var lost = cp.SquaredNorm > 0 ? cp.SquaredError / cp.SquaredNorm : 0;
                if (lost < loss) // alternating least squares may end worse with more terms
                {
                    loss = lost;
                    ranks[i].Add(rank);
                    options[i].Add(new(rank * Each(layer), lost));
                }
            }

            options[i].Add(new(before, 0));
        }

        var chosen = BudgetAllocation.Of(options, budget);
        for (var i = 0; i < chosen.Length; i++)
        {
            if (chosen[i] < ranks[i].Count)
            {
                _allocated.Add(layers[i], ranks[i][chosen[i]]);
            }
        }
    }
}
