using Build.ML.Abstractions.Data;
using Build.ML.Abstractions.Techniques;
using Build.ML.Calibration;
using Build.ML.Graph;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;
using Build.ML.Quantization.Weights;

namespace Build.ML.Quantization.Static.Rounding;

/// <summary>
/// Goes through a model layer by layer in the order of execution, the real model and the quantized one side by side on the same data, and mends each layer with what the
/// quantized layers before it really yield: learns its rounding (<see cref="AdaRound"/>), then moves its bias so that each channel's mean is the real one's again
/// (Nagel et al. 2019, "Data-Free Quantization Through Weight Equalization and Bias Correction", arXiv 1906.04721, §4.2, the empirical form of appendix D:
/// b ← b + E[W·x] − E[Ŵ·x̂], which for a linear layer follows from the mean rows alone).
/// </summary>
/// <param name="model">The model before quantization; its biases are edited.</param>
/// <param name="plan">What is quantized of it.</param>
/// <param name="quantizedCopy">Makes a copy of a model with quantized activations and simulated weights, and the copy's nodes by ordinal before that.</param>
/// <param name="weights">Gets the roundings learnt.</param>
/// <param name="context">Inference, threads, seed, progress.</param>
internal sealed class SequentialReconstruction(
    Model model, QdqPlan plan, Func<Model, (Model Copy, Node[] Nodes)> quantizedCopy, WeightTable weights, StepContext context)
{
    // Images or rows run together.
    private const int BatchSize = 8;

    /// <summary>Names of layers that were not mended, and why.</summary>
    public List<(string Layer, string Reason)> Left { get; } = [];

    /// <summary>Number of layers whose rounding was learnt.</summary>
    public int Learnt { get; private set; }

    /// <summary>Number of layers whose bias was corrected.</summary>
    public int Corrected { get; private set; }

    /// <summary>Does it.</summary>
    /// <param name="data">Calibration data.</param>
    /// <param name="rounding">How to learn the rounding; null keeps the nearest.</param>
    /// <param name="correctBias">Whether biases are corrected.</param>
    public void Run(DataSet data, AdaRoundOptions? rounding, bool correctBias)
    {
        using var original = model.Clone();
        var (copy, copyNodes) = quantizedCopy(model);
        using var quantized = copy;
        var ordinals = model.Graph.Nodes.Select((n, i) => (n, i)).ToDictionary(p => p.n, p => p.i);
        var originalNodes = original.Graph.Nodes.ToArray();
        using var realRun = new StreamedExecution(original, data, context, BatchSize);
        using var quantizedRun = new StreamedExecution(quantized, data, context, BatchSize);
        var layers = plan.Nodes.Where(n => n.Form.Weight is not null && ordinals.ContainsKey(n.Node)).OrderBy(n => ordinals[n.Node]).ToArray();
        Left.AddRange(plan.Nodes.Where(n => !ordinals.ContainsKey(n.Node)).Select(n => (LayerNames.Of(n.Node), "in a subgraph, whose inputs calibration does not see")));
        for (var i = 0; i < layers.Length; i++)
        {
            context.Progress.Report(new((double)i / layers.Length, rounding is null ? "correcting biases" : "learning rounding"));
            context.Cancellation.ThrowIfCancellationRequested();
            var layer = layers[i];
            if (layer.Form.WeightAxis is not { } axis || LayerRows.Of(layer) is not { } rows)
            {
                Left.Add((LayerNames.Of(layer.Node), "rows that cannot be listed (more than two spatial dimensions, a transposed input or convolution)"));
                continue;
            }

            var (realNode, quantizedNode) = (originalNodes[ordinals[layer.Node]], copyNodes[ordinals[layer.Node]]);
            realRun.AdvanceTo(realNode);
            quantizedRun.AdvanceTo(quantizedNode);
            var place = new Place(layer, axis, rows, realNode.Inputs[0]!, quantizedNode);
            if (rounding is not null && !weights.IsLearnt(layer.Node.Inputs[1]!, axis))
            {
                Learn(place, realRun, quantizedRun, rounding, unchecked((int)(context.Seed * 1_000_003 + i)));
            }

            if (correctBias)
            {
                Correct(place, realRun, quantizedRun);
            }
        }
    }

    private void Learn(Place place, StreamedExecution realRun, StreamedExecution quantizedRun, AdaRoundOptions options, int seed)
    {
        var weight = place.Layer.Node.Inputs[1]!;
        var layout = ChannelLayout.Of(weight.Constant!.Sizes, place.Axis);
        var real = Rows(weight.Constant, layout);
        var bias = Bias(place.Layer.Node)?.Constant?.ToArray<float>() ?? [];
        var rounded = weights.Of(weight, place.Axis, null, 0);
        var scales = new float[layout.Channels];
        for (var c = 0; c < scales.Length; c++)
        {
            scales[c] = rounded.Scales.Of(c);
        }

        var sampler = new LayerSampler(place.Rows, options.Rows, seed);
        var samples = sampler.Take(realRun, place.RealInput, quantizedRun, place.QuantizedNode.Inputs[0]!, real, bias);
        var method = new AdaRound(options, rounded.Scales.Least, rounded.Scales.Greatest, Clip(place.Layer));
        var integers = new sbyte[real.Length];
        var (outputs, columns) = (layout.Channels / samples.Length, place.Rows.Columns);
        for (var g = 0; g < samples.Length; g++)
        {
            context.Cancellation.ThrowIfCancellationRequested();
            method.Round(
                real[(g * outputs * columns)..((g + 1) * outputs * columns)], columns, scales[(g * outputs)..((g + 1) * outputs)],
                bias.Length == 0 ? bias : bias[(g * outputs)..((g + 1) * outputs)], samples[g], context.Threads).CopyTo(integers, g * outputs * columns);
        }

        weights.Learn(weight, place.Axis, integers);
        var simulated = place.QuantizedNode.Inputs[1]!;
        simulated.Graph.SetInitializer(simulated, WeightTable.Real(weights.Of(weight, place.Axis, null, 0), place.Axis));
        Learnt++;
    }

    private void Correct(Place place, StreamedExecution realRun, StreamedExecution quantizedRun)
    {
        if (Bias(place.Layer.Node) is not { Constant: { } bias })
        {
            Left.Add((LayerNames.Of(place.Layer.Node), "no bias to correct"));
            return;
        }

        var weight = place.Layer.Node.Inputs[1]!.Constant!;
        var layout = ChannelLayout.Of(weight.Sizes, place.Axis);
        var real = Rows(weight, layout);
        var quantized = Rows(place.QuantizedNode.Inputs[1]!.Constant!, layout);
        var realMean = Mean(place.Rows, realRun.Activations(place.RealInput));
        var quantizedMean = Mean(place.Rows, quantizedRun.Activations(place.QuantizedNode.Inputs[0]!));
        var corrected = bias.ToArray<float>();
        var (columns, outputs) = (place.Rows.Columns, layout.Channels / place.Rows.Groups);
        for (var c = 0; c < corrected.Length; c++)
        {
            var shift = 0d;
            for (var k = 0; k < columns; k++)
            {
                var at = c / outputs * columns + k;
                shift += real[c * columns + k] * realMean[at] - quantized[c * columns + k] * quantizedMean[at];
            }

            corrected[c] += (float)shift;
        }

        var tensor = Tensor.Of(corrected, bias.Sizes.AsSpan());
        SetBias(place.Layer.Node, tensor);
        SetBias(place.QuantizedNode, tensor);
        Corrected++;
    }

    private static double[] Mean(LayerRows rows, IEnumerable<Tensor> activations)
    {
        var sums = new double[rows.Groups * rows.Columns];
        long count = 0;
        foreach (var activation in activations)
        {
            rows.Sum(activation, sums);
            count += rows.Count(activation.Sizes);
        }

        for (var i = 0; i < sums.Length; i++)
        {
            sums[i] /= count;
        }

        return sums;
    }

    private static float[] Rows(Tensor weight, ChannelLayout layout)
    {
        using var view = weight.Read<float>();
        return WeightRows.Of(view.Span, layout);
    }

    private static Value? Bias(Node node) => node.OpType == "MatMul" ? null : node.Input(2);

    private static void SetBias(Node node, Tensor tensor)
    {
        var old = node.Inputs[2]!;
        node.SetInput(2, node.Graph.AddInitializer(node.Graph.UniqueName(old.Name + "_corrected"), tensor));
        if (old.IsUnused && old.Producer is null)
        {
            old.Graph.SetInitializer(old, null);
        }
    }

    // What the activation that becomes part of rounding keeps.
    private static (float Minimum, float Maximum) Clip(QdqNode layer)
    {
        var activation = layer.Result == layer.Node.Outputs[0] ? null : layer.Result.Producer;
        return activation is null ? (float.NegativeInfinity, float.PositiveInfinity)
            : activation.Is("Relu") ? (0, float.PositiveInfinity)
            : (Bound(activation, 1, float.NegativeInfinity), Bound(activation, 2, float.PositiveInfinity));
    }

    private static float Bound(Node clip, int input, float otherwise) => clip.Input(input)?.Constant is { } bound ? bound.ToArray<float>()[0] : otherwise;

    private sealed record Place(QdqNode Layer, int Axis, LayerRows Rows, Value RealInput, Node QuantizedNode);
}
