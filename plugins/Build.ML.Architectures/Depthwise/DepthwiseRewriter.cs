using System.Collections.Immutable;
using Build.ML.Abstractions.Techniques;
using Build.ML.Architectures.Layers;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;
using Build.ML.Training.Random;

namespace Build.ML.Architectures.Depthwise;

/// <summary>Puts two convolutions in the place of one. Layers that share a weight share the new ones.</summary>
sealed class DepthwiseRewriter(DepthwiseReplacement.Options options, StepContext context)
{
    // What the layer does to the positions of its input, which its depthwise part does from now on.
    private static readonly string[] Positions = ["kernel_shape", "strides", "pads", "dilations", "auto_pad"];

    private readonly CounterRandom _random = new(context.Seed);
    private readonly Dictionary<Value, Pair> _done = [];

    private sealed record Pair(Value Depthwise, Value Pointwise, double Kept);

    /// <summary>Replaces a layer.</summary>
    /// <returns>Why it was left after all, or null with figures of what was done.</returns>
    internal (string? Reason, ImmutableArray<KeyValuePair<string, double>> Figures) Replace(Node node, SeparableLayer layer)
    {
        var multiplier = Math.Min(options.Multiplier, layer.Kernel);
        var (before, after) = (layer.Count, layer.SeparableCount(multiplier));
        if (after >= before)
        {
            return ($"it would have {after} weights instead of {before}", []);
        }

        var tensors = _done.ContainsKey(layer.Weight) ? default : Tensors(layer, multiplier, context.Cancellation);
        if (!_done.TryGetValue(layer.Weight, out var pair))
        {
            if (tensors.Kept < options.MinimumKept)
            {
                return ($"{tensors.Kept:0.000} of its squared weights would be kept, less than minimum_kept", []);
            }

            var (graph, prefix) = (layer.Weight.Graph, Prefix(layer.Weight.Name));
            pair = new(
                graph.AddInitializer(prefix + ".depthwise.weight", tensors.Depthwise),
                graph.AddInitializer(prefix + ".pointwise.weight", tensors.Pointwise),
                tensors.Kept);
            _done.Add(layer.Weight, pair);
        }

        Rewire(node, layer, multiplier, pair);
        var figures = ImmutableArray.Create(KeyValuePair.Create("weights_before", (double)before), KeyValuePair.Create("weights_after", (double)after));
        return (null, options.Start == DepthwiseStart.Approximate ? figures.Add(KeyValuePair.Create("kept", pair.Kept)) : figures);
    }

    private (Tensor Depthwise, Tensor Pointwise, double Kept) Tensors(SeparableLayer layer, int multiplier, CancellationToken cancellation)
    {
        long[] depthwise = [(long)layer.Inputs * multiplier, 1, .. layer.KernelSizes];
        long[] pointwise = [layer.Outputs, (long)layer.Inputs * multiplier, .. Enumerable.Repeat(1L, layer.Dimensions)];
        if (options.Start == DepthwiseStart.Random)
        {
            var name = Prefix(layer.Weight.Name);
            return (InitialWeight.Of(_random, name + ".depthwise.weight", Initial.Kaiming(layer.Kernel), depthwise),
                InitialWeight.Of(_random, name + ".pointwise.weight", Initial.Kaiming(layer.Outputs), pointwise), 1);
        }

        var near = SeparableApproximation.Of(layer.Weight.Constant!.ToArray<float>(), layer, multiplier, context.Threads, cancellation);
        return (Tensor.Of(near.Depthwise, depthwise), Tensor.Of(near.Pointwise, pointwise), near.Kept);
    }

    // The node itself becomes the 1×1 convolution, so that its output keeps its name and place.
    private void Rewire(Node node, SeparableLayer layer, int multiplier, Pair pair)
    {
        var (graph, name) = (node.Graph, node.Name.Length > 0 ? node.Name : node.Outputs[0].Name);
        var attributes = node.Attributes.Where(a => Positions.Contains(a.Name)).Append(NodeAttribute.Int("group", layer.Inputs)).ToArray();
        var depthwise = graph.Add("Conv", [node.Input(0), pair.Depthwise], name + ".depthwise", attributes, before: node);
        var between = Between(depthwise, name, layer.Inputs * multiplier, node);
        foreach (var attribute in Positions)
        {
            node.RemoveAttribute(attribute);
        }

        node.SetAttribute(NodeAttribute.Ints("kernel_shape", [.. Enumerable.Repeat(1L, layer.Dimensions)]));
        node.SetInput(0, between);
        node.SetInput(1, pair.Pointwise);
        if (layer.Weight is { IsUnused: true, Initializer: not null, IsGraphInput: false } old)
        {
            old.Graph.SetInitializer(old, null);
        }
        else if (layer.Weight is { IsUnused: true, Producer: { } constant })
        {
            constant.Graph.Remove(constant);
        }
    }

    private Value Between(Value x, string name, int channels, Node before)
    {
        var graph = x.Graph;
        if (options.Normalize)
        {
            Value?[] inputs = [x, Norm("weight", 1), Norm("bias", 0), Norm("running_mean", 0), Norm("running_var", 1)];
            NodeAttribute[] attributes = [NodeAttribute.Float("epsilon", 1e-5f), NodeAttribute.Float("momentum", 0.9f)];
            x = graph.Add("BatchNormalization", inputs, name + ".depthwise.norm", attributes, before: before);
        }

        return options.Activation switch
        {
            DepthwiseActivation.Relu => graph.Add("Relu", [x], name + ".depthwise.activation", before: before),
            DepthwiseActivation.Relu6 => graph.Add("Clip", [x, Bound("zero", 0), Bound("six", 6)], name + ".depthwise.activation", before: before),
            _ => x,
        };

        Value Norm(string part, float value)
        {
            var values = new float[channels];
            values.AsSpan().Fill(value);
            return graph.AddInitializer($"{name}.depthwise.norm.{part}", Tensor.Of(values, channels));
        }

        Value Bound(string part, float value) =>
            graph.Add("Constant", [], $"{name}.depthwise.{part}", [NodeAttribute.Tensor("value", Tensor.Scalar(value))], before: before);
    }

    private static string Prefix(string name) => name.EndsWith(".weight", StringComparison.Ordinal) ? name[..^".weight".Length] : name;
}
