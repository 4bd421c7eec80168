using System.Collections.Immutable;
using Build.ML.Abstractions.References;
using Build.ML.Abstractions.Selection;
using Build.ML.Abstractions.Techniques;
using Build.ML.Calibration;
using Build.ML.Calibration.Layers;
using Build.ML.Calibration.LinearAlgebra;
using Build.ML.Graph;
using Build.ML.Quantization.Blocks;
using Build.ML.Quantization.Folding;
using Build.ML.Quantization.Mixed;
using Build.ML.Quantization.WeightOnly;

namespace Build.ML.Quantization.Rotation;

/// <summary>What of a model is rotated and scaled together.</summary>
/// <param name="streams">Residual streams, gammas moved.</param>
/// <param name="heads">Attention values.</param>
/// <param name="groups">All groups of matrix products of the main graph, in its order.</param>
/// <param name="rules">Fold rules.</param>
internal sealed class RotationPlan(
    ImmutableArray<ResidualStream> streams, ImmutableArray<ValueHeads> heads, ImmutableArray<LayerGroup> groups,
    IReadOnlyDictionary<(string Domain, string OpType), FoldRule> rules)
{
    private const int Candidates = 4;
    private const int SensitivitySamples = 8;

    private readonly ScaleFold[] _folds = [.. groups.Select(g => ScaleFold.Find(g, rules, mayInsert: false))];

    /// <summary>Random rotations, no scales.</summary>
    public Transforms Random(Random random) => new(
        [.. streams.Select(s => OrthogonalMatrix.Random(s.Width, s.KeepsMean, random))],
        [.. heads.Select(h => Enumerable.Range(0, h.Count).Select(_ => OrthogonalMatrix.Random(h.Size, false, random)).ToArray())],
        new float[]?[groups.Length]);

    /// <summary>Learns transforms on calibration data.</summary>
    /// <returns>The transforms; the error of rounding to nearest without any, and with them.</returns>
    public (Transforms Best, double Before, double After) Learn(Model model, DataReference data, RotationTechnique.Options options, Random random, StepContext context)
    {
        var hessians = new FloatMatrix[groups.Length];
        try
        {
            Observe(model, data, hessians, context);
            var format = new BlockFormat(options.Bits, options.BlockSize, options.Symmetric);
            var all = groups.SelectMany((g, i) => g.Layers.Select(l => (Layer: l, Group: i))).ToArray();
            var noises = new LayerSensitivities(context, new BlockRounding(new RoundToNearest(), context.Threads), "rtn").Measure(
                model, [.. all.Select(l => (l.Layer, new[] { l.Layer.Adapt(format) }))], data, SensitivitySamples);
            var layers = all.Select(l => Layer(l.Layer, l.Group, format)).ToArray();
            var none = new Transforms(
                [.. streams.Select(s => OrthogonalMatrix.Identity(s.Width))],
                [.. heads.Select(h => Enumerable.Range(0, h.Count).Select(_ => OrthogonalMatrix.Identity(h.Size)).ToArray())],
                new float[]?[groups.Length]);

            // An output error of a layer counts by what it does to the model's outputs, measured when rounding that layer alone makes it.
            var total = noises.Sum(n => n[0]);
            layers = [.. layers.Select((l, i) => l with { Weight = noises[i][0] / total / Math.Max(Search([l]).Error(none, null), 1e-30) })];
            var search = Search(layers);
            var start = Enumerable.Range(0, Candidates).Select(_ => Random(random)).MinBy(t => search.Error(t, null))!;
            if (options.Scales)
            {
                start = start with { Scales = [.. _folds.Select((f, i) => f.IsPossible ? Enumerable.Repeat(1f, groups[i].Channels).ToArray() : null)] };
            }

            var (best, _, after) = new TransformDescent(search, [.. streams.Select(s => s.KeepsMean)], [.. _folds.Select(f => f.Ties)]).Run(
                start, options.Iterations, done => context.Progress.Report(new(0.2 + 0.8 * done, "learning rotations")), context.Cancellation);
            return (best, 1, after);

            RotationSearch Search(IReadOnlyList<SearchLayer> some) => new(
                some, hessians, [.. heads.Select(h => h.HeadOfReader.ToArray())], [.. heads.Select(h => h.HeadOfMaker.ToArray())], context.Threads);
        }
        finally
        {
            foreach (var hessian in hessians)
            {
                hessian?.Dispose();
            }
        }
    }

    /// <summary>Puts transforms into the weights: scales belong to rotated channels.</summary>
    public void Apply(Model model, Transforms transforms, int threads)
    {
        for (var i = 0; i < streams.Length; i++)
        {
            streams[i].Rotate(OrthogonalMatrix.Orthogonalized(transforms.Streams[i], streams[i].Width), threads);
        }

        for (var i = 0; i < heads.Length; i++)
        {
            heads[i].Rotate([.. transforms.Heads[i].Select(h => OrthogonalMatrix.Orthogonalized(h, heads[i].Size))], threads);
        }

        if (transforms.Scales.All(s => s is null))
        {
            return;
        }

        // Weights that were behind a Transpose have become constants of their own: what takes the scales is looked for again.
        var now = LayerGroup.Of(WeightLayers.Find(model, new LayerSelection(model, [], [], []), "MatMul", "Gemm").Layers).ToDictionary(g => g.Layers[0].Node);
        for (var i = 0; i < groups.Length; i++)
        {
            if (transforms.Scales[i] is { } scales)
            {
                ScaleFold.Find(now[groups[i].Layers[0].Node], rules, mayInsert: false).Apply(scales);
            }
        }
    }

    /// <summary>Rotates at run time what reads neither a stream nor attention values.</summary>
    /// <returns>Lines of the report.</returns>
    public IEnumerable<LayerOutcome> RotateOnline(Model model, Random random, int threads)
    {
        var now = LayerGroup.Of(WeightLayers.Find(model, new LayerSelection(model, [], [], []), "MatMul", "Gemm").Layers).ToDictionary(g => g.Layers[0].Node);
        foreach (var group in groups.Where(g => !IsRotated(g)).Select(g => now[g.Layers[0].Node]))
        {
            if (group.Obstacle() is { } reason)
            {
                yield return new(group.Name, group.Layers[0].OpType, "left", reason, []);
                continue;
            }

            OnlineRotation.Insert(group, random, threads);
            yield return new(
                group.Name, group.Layers[0].OpType, "rotated", "by a product at run time", [new("multiplications_a_row", (double)group.Channels * group.Channels)]);
        }
    }

    /// <summary>Lines of the report.</summary>
    public IEnumerable<LayerOutcome> Outcomes(Transforms transforms)
    {
        foreach (var stream in streams)
        {
            yield return new(
                stream.Seed.Name, "residual stream", "rotated", stream.KeepsMean ? "by a rotation that keeps means" : "",
                [new("width", stream.Width), new("readers", stream.Readers.Count), new("writers", stream.Writers.Count)]);
        }

        foreach (var values in heads)
        {
            yield return new(LayerNames.Of(values.Maker), "attention values", "rotated", "", [new("head_size", values.Size), new("heads", values.Count)]);
        }

        for (var i = 0; i < groups.Length; i++)
        {
            if (transforms.Scales[i] is not null)
            {
                yield return new(groups[i].Name, groups[i].Layers[0].OpType, "scaled", $"scales in {_folds[i].Target}", []);
            }
            else if (!IsRotated(groups[i]))
            {
                yield return new(groups[i].Name, groups[i].Layers[0].OpType, "left", "it reads neither a residual stream nor attention values", []);
            }
        }
    }

    private bool IsRotated(LayerGroup group) => group.Layers.Any(l => streams.Any(s => s.Readers.Contains(l.Node))) || heads.Any(h => h.Group.Activation == group.Activation);

    private void Observe(Model model, DataReference data, FloatMatrix[] hessians, StepContext context)
    {
        var order = GroupOrder.Of(model.Graph, groups);
        using var run = new StreamedExecution(model, context.Data(data), context);
        for (var i = 0; i < order.Length; i++)
        {
            context.Progress.Report(new(0.2 * i / order.Length, "observing activations"));
            hessians[groups.IndexOf(order[i].Group)] = GroupInputs.Observe(run, order[i].Group, order[i].First, 0, context).Hessian;
        }
    }

    private SearchLayer Layer(WeightLayer layer, int group, BlockFormat format)
    {
        var weights = new float[layer.Rows * layer.Columns];
        layer.Read(0, layer.Rows, weights);
        return new(weights, layer.Columns, group, 1, layer.Adapt(format))
        {
            StreamIn = Index(streams, s => s.Readers.Contains(layer.Node)),
            StreamOut = Index(streams, s => s.Writers.Contains(layer.Node)),
            HeadsIn = Index(heads, h => h.Group.Activation == layer.Activation),
            HeadsOut = Index(heads, h => h.Maker == layer.Node),
        };
    }

    private static int Index<T>(ImmutableArray<T> items, Func<T, bool> predicate)
    {
        for (var i = 0; i < items.Length; i++)
        {
            if (predicate(items[i]))
            {
                return i;
            }
        }

        return -1;
    }
}
