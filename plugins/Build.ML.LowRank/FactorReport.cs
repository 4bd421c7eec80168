using System.Collections.Immutable;
using System.Globalization;
using Build.ML.Abstractions.Techniques;
using Build.ML.Calibration.Layers;
using Build.ML.Calibration.LinearAlgebra;
using Build.ML.Graph;
using Build.ML.Graph.Diagnostics;
using Build.ML.LowRank.Layers;
using Build.ML.LowRank.Ranks;

namespace Build.ML.LowRank;

/// <summary>What happened to layers.</summary>
/// <param name="left">Nodes that were not layers to factor.</param>
internal sealed class FactorReport(ImmutableArray<LayerOutcome> left)
{
    private readonly List<LayerOutcome> _outcomes = [.. left];
    private long _before;
    private long _after;

    /// <summary>Factors one layer after the other.</summary>
    /// <param name="layers">The layers, in the order of the graph.</param>
    /// <param name="factor">Replaces a layer and adds it to this report, or says why the layer stays.</param>
    /// <param name="context">Told of progress, and asked whether to stop, before each layer.</param>
    public void Each(ImmutableArray<WeightLayer> layers, Func<WeightLayer, string?> factor, StepContext context)
    {
        for (var i = 0; i < layers.Length; i++)
        {
            context.Cancellation.ThrowIfCancellationRequested();
            context.Progress.Report(new((double)i / layers.Length, $"layer {i + 1}/{layers.Length} {layers[i].Name}"));
            if (factor(layers[i]) is { } reason)
            {
                Leave(layers[i], reason);
            }
        }
    }

    /// <summary>A layer stays as it is.</summary>
    public void Leave(WeightLayer layer, string reason) => _outcomes.AddRange(layer.Readers.Select(r => LowRankLayers.LeftNode(r.Node, reason)));

    /// <summary>A layer became two.</summary>
    /// <param name="layer">The layer.</param>
    /// <param name="choice">Its rank.</param>
    /// <param name="svd">What was cut off at that rank: the error is the root of its share of the squares.</param>
    public void Add(WeightLayer layer, RankChoice choice, SingularValues svd) =>
        Add(
            layer,
            (long)choice.Rank * (layer.Rows + layer.Columns),
            [
                new("rank", choice.Rank), .. choice.Figures,
                new("error", svd.SquaredNorm > 0 ? Math.Sqrt(svd.SquaredError(choice.Rank) / svd.SquaredNorm) : 0),
            ]);

    /// <summary>A layer became several.</summary>
    /// <param name="layer">The layer.</param>
    /// <param name="parameters">Of the layers that stand for it.</param>
    /// <param name="figures">For the report; the share of parameters is put before the last.</param>
    public void Add(WeightLayer layer, long parameters, ImmutableArray<KeyValuePair<string, double>> figures)
    {
        var before = (long)layer.Rows * layer.Columns;
        (_before, _after) = (_before + before, _after + parameters);
        _outcomes.Add(new(layer.Name, layer.OpType, "factored", "", [.. figures[..^1], new("parameters_kept", (double)parameters / before), figures[^1]]));
    }

    /// <summary>The step's result.</summary>
    /// <exception cref="DiagnosticException">BML5701: nothing was factored.</exception>
    public StepResult Result(Model model)
    {
        var factored = _outcomes.Count(o => o.Outcome == "factored");
        return factored == 0 ? throw LowRankLayers.Nothing(_outcomes) : new(model)
        {
            Layers = [.. _outcomes],
            Notes =
            [
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"{factored} layers hold {(double)_after / _before:0.000} of their parameters and multiply as much less; small layers gain less time than that, since each of the parts is started and read for itself."),
            ],
        };
    }
}
