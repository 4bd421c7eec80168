using System.Collections.Immutable;
using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using Build.ML.Abstractions.Inference;
using Build.ML.Abstractions.References;
using Build.ML.Calibration;
using Build.ML.Graph.Diagnostics;
using Build.ML.Training;
using Build.ML.Training.Feed;
using Build.ML.Training.Random;

namespace Build.ML.Pruning.Budgets;

/// <summary>
/// The coarse step of ECoFLaP (Sung, Yoon and Bansal 2023, arXiv 2310.02998, §3.2): how much the loss depends on a layer is told by forward runs alone, |L(W + εz) − L(W − εz)| / 2ε in the mean over
/// batches with z normal over the layer's weights, the zeroth-order estimate of its gradient's norm. Every layer keeps a fraction 1 − p_max; what is left to keep is shared out in proportion to these
/// scores. z is a function of the seed, the layer and the batch: it is drawn twice instead of kept.
/// </summary>
[SparsityBudget("ecoflap")]
[Description("Layers that the loss depends on more, by forward runs with weights moved at random, keep more (ECoFLaP).")]
public sealed record EcoflapBudget : SparsityBudget
{
    private const int Piece = 1 << 14;

    /// <summary>Samples with the labels that the losses need. Default: the calibration data of the technique.</summary>
    public DataReference? Data { get; init; }

    /// <summary>Samples of the data to use, the first ones; 0 takes all. Default 128.</summary>
    [Range(0, int.MaxValue)]
    public int Samples { get; init; } = 128;

    /// <summary>Samples in a batch. Default 8.</summary>
    [Range(1, 1 << 16)]
    public int BatchSize { get; init; } = 8;

    /// <summary>How samples of different lengths are padded. Default: all samples have one shape.</summary>
    public PaddingBuckets? Buckets { get; init; }

    /// <summary>The loss, <c>next_token</c> for language models. Default <c>cross_entropy</c>.</summary>
    public ImmutableArray<Loss> Losses { get; init; } = [];

    /// <summary>How often a layer is moved on each batch. Default 1.</summary>
    [Range(1, 1000)]
    public int Perturbations { get; init; } = 1;

    /// <summary>ε: by how much weights are moved. Default 0.001.</summary>
    [Range(1e-6, 1d)]
    public double Epsilon { get; init; } = 1e-3;

    /// <summary>How far the sparsity of a layer may be above that of all, 0 to 1. Default 0.1.</summary>
    [Range(0d, 1d)]
    public double MaxExcess { get; init; } = 0.1;

    /// <inheritdoc/>
    /// <exception cref="DiagnosticException">BML5410: no data. BML60xx: model, losses and data do not fit together.</exception>
    public override IReadOnlyList<double> Allocate(BudgetContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        var scores = Scores(context);

        // A layer in a subgraph is not moved: it gets the sparsity of all.
        var least = 1 - Math.Min((double)context.Zeros / context.Count + MaxExcess, 1);
        var kept = context.Layers.Select((l, i) => l.Count * (scores[i] is null ? 1 - (double)context.Zeros / context.Count : least)).ToArray();
        var weights = context.Layers.Select((l, i) => scores[i] ?? 0).ToArray();
        if (weights.All(w => w == 0))
        {
            weights = [.. context.Layers.Select((l, i) => scores[i] is null ? 0 : (double)l.Count)];
        }

        var more = Shares.Proportional(
            weights, context.Layers.Select((l, i) => scores[i] is null ? 0 : l.Count - kept[i]).ToArray(), context.Count - context.Zeros - kept.Sum());
        return [.. context.Layers.Select((l, i) => l.Count - kept[i] - more[i])];
    }

    /// <summary>The score of each layer; null of one in a subgraph.</summary>
    internal double?[] Scores(BudgetContext context)
    {
        using var model = context.Model.Clone();
        var names = context.Layers.Where(l => l.Weight.Graph == context.Model.Graph).Select(l => l.Weight.Name).ToHashSet(StringComparer.Ordinal);
        using var probe = new LossProbe(
            context.Step, model, new FirstSamples(context.Read(Data), Samples), Losses.IsDefaultOrEmpty ? [new CrossEntropy()] : Losses, v => names.Contains(v.Name), BatchSize, Buckets);
        var scores = new double?[context.Layers.Length];
        var weights = context.Layers.Select(l => names.Contains(l.Weight.Name) ? probe.Weight(l.Weight.Name) : null).ToArray();
        long batch = 0;
        foreach (var loss in probe.Losses())
        {
            for (var i = 0; i < weights.Length; i++)
            {
                if (weights[i] is not { } weight)
                {
                    continue;
                }

                var original = weight.Span<float>().ToArray();
                for (var p = 0; p < Perturbations; p++)
                {
                    var random = new CounterRandom(context.Step.Seed, RandomStream.Perturbation).Fork(i).Fork(batch * Perturbations + p);
                    Move(weight, original, random, (float)Epsilon);
                    var above = loss();
                    Move(weight, original, random, -(float)Epsilon);
                    var below = loss();
                    scores[i] = (scores[i] ?? 0) + Math.Abs((double)above - below) / (2 * Epsilon) / (probe.Batches * Perturbations);
                }

                original.CopyTo(weight.Span<float>());
                context.Step.Progress.Report(new((batch + (double)(i + 1) / weights.Length) / probe.Batches, "ecoflap"));
            }

            batch++;
        }

        return scores;
    }

    private static void Move(TensorBuffer weight, ReadOnlySpan<float> original, CounterRandom random, float epsilon)
    {
        Span<float> direction = new float[Math.Min(Piece, original.Length)];
        for (var start = 0; start < original.Length; start += Piece)
        {
            var part = direction[..Math.Min(Piece, original.Length - start)];
            random.FillNormal(part);
            System.Numerics.Tensors.TensorPrimitives.MultiplyAdd(part, epsilon, original.Slice(start, part.Length), weight.Span<float>().Slice(start, part.Length));
        }
    }
}
