using Build.ML.Autodiff;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;
using Build.ML.Quantization.Static;

namespace Build.ML.Quantization.QuantizationAware;

/// <summary>
/// Turns a plan into a float model that computes what the integer model will and can be trained: fake quantization where <see cref="QdqWriter"/> puts QuantizeLinear and
/// DequantizeLinear, its step sizes among the parameters. Weights and biases keep their names.
/// </summary>
/// <param name="graph">The main graph; edited.</param>
/// <param name="plan">What to quantize.</param>
/// <param name="activations">Scales to begin with.</param>
/// <param name="weights">Scales to begin with.</param>
/// <param name="learn">Whether step sizes are trained.</param>
internal sealed class TrainableQuantization(OnnxGraph graph, QdqPlan plan, ActivationParameters activations, WeightTable weights, bool learn)
{
    private readonly Dictionary<(string Weight, int? Axis), (StepSize Step, Value Size, Value Real)> _weights = [];
    private readonly Dictionary<string, (StepSize Step, Value Size)> _activations = [];
    private readonly SharedScales _shared = new(plan);
    private readonly HashSet<string> _clipped = [];

    /// <summary>Step sizes of weights, by name and channel axis.</summary>
    public IEnumerable<KeyValuePair<(string Weight, int? Axis), StepSize>> WeightSteps => _weights.Select(w => KeyValuePair.Create(w.Key, w.Value.Step));

    /// <summary>Step sizes of activations, by the first value that shares it.</summary>
    public IEnumerable<KeyValuePair<string, StepSize>> ActivationSteps => _activations.Select(a => KeyValuePair.Create(a.Key, a.Value.Step));

    /// <summary>Initializers that step sizes are trained by.</summary>
    public IEnumerable<string> StepNames => WeightSteps.Select(s => s.Value.Name).Concat(ActivationSteps.Select(s => s.Value.Name)).Where(n => n.Length > 0);

    /// <summary>Writes everything.</summary>
    public void Write()
    {
        var pairs = plan.Pairs();

        // Behind a Clip, integers for more than its bound would keep the runtime from making it a part of the kernel before it.
        _clipped.UnionWith(pairs.Select(p => p.Value).Where(v => plan.ProducerOf(v) is not null && v.Producer is { } clip && clip.Is("Clip")).Select(v => _shared.Of(v.Name)[0]));
        foreach (var node in plan.Nodes.Where(n => n.Form.Weight is not null && n.Node.Graph == graph))
        {
            WriteWeight(node, node.Form.Weight!.Value);
        }

        foreach (var (value, readers) in pairs)
        {
            WriteActivation(value, readers);
        }

    }

    private void WriteWeight(QdqNode node, int input)
    {
        var weight = node.Node.Inputs[input]!;
        var key = (weight.Name, node.Form.WeightAxis);
        if (!_weights.TryGetValue(key, out var written))
        {
            var bias = node.Form.Bias is { } index && !node.WeightOnly ? node.Node.Input(index)?.Constant : null;
            var inputScale = node.WeightOnly ? 0 : activations.Of(_shared.Of(node.Node.Inputs[node.Form.Activations[0]]!.Name)).Scale;
            var scales = weights.Of(weight, node.Form.WeightAxis, bias, inputScale).Scales;
            var step = new StepSize(NameOf(weight.Name), scales.Scales, StepSize.Greatest);
            var place = graph.FirstNode;
            var size = step.Write(graph, weight.Name + "_step_size", place);
            var trailing = scales.Scales.Length == 1 ? 0 : weight.Constant!.Rank - node.Form.WeightAxis!.Value - 1;
            var broadcast = trailing == 0 ? size : graph.Add(
                "Unsqueeze", [size, graph.AddInitializer(weight.Name + "_axes", Tensor.Of(Enumerable.Range(1, trailing).Select(i => (long)i).ToArray(), trailing))],
                weight.Name + "_step_sizes", before: place);
            written = (step, size, FakeQuantization.Write(weight, broadcast, scales.Least, scales.Greatest, weight.Name + "_fake", place));
            _weights.Add(key, written);
        }

        node.Node.SetInput(input, written.Real);
        if (node.Form.Bias is { } at && !node.WeightOnly && node.Node.Input(at) is { } real)
        {
            node.Node.SetInput(at, RoundedBias(real, written.Size, SizeOf(node.Node.Inputs[node.Form.Activations[0]]!), node.Node));
        }
    }

    // Biases are integers under the product of both scales, which is coarse where these have few bits. The gradient goes to the bias alone.
    private Value RoundedBias(Value bias, Value weightSize, Value inputSize, Node node)
    {
        var name = LayerNames.Of(node) + "_bias";
        var size = graph.Add("Mul", [weightSize, inputSize], graph.UniqueName(name + "_step_size"), before: node);
        size.Producer!.StopGradient();
        var steps = graph.Add("Div", [bias, size], graph.UniqueName(name + "_steps"), before: node);
        var rounded = graph.Add("Round", [steps], graph.UniqueName(name + "_rounded"), before: node);
        rounded.Producer!.PassStraightThrough();
        return graph.Add("Mul", [rounded, size], graph.UniqueName(name + "_fake"), before: node);
    }

    private void WriteActivation(Value value, Use[] readers)
    {
        var producer = plan.ProducerOf(value);
        if (producer is { Form.Output: QdqOutput.SameAsInput } or { Form.SharesScale: true })
        {
            // On the grid already: it moves values that were rounded with the same scale.
            return;
        }

        var parameters = activations.Of(_shared.Of(value.Name));
        var (least, greatest) = (activations.Target.Least - parameters.ZeroPoint, activations.Target.Greatest - parameters.ZeroPoint);
        var size = SizeOf(value);
        var after = value.Producer ?? size.Producer;
        var place = after is null ? graph.FirstNode : after.Next;
        var rounded = FakeQuantization.Write(Unclipped(producer, value, least), size, least, greatest, value.Name + "_fake", place);
        foreach (var reader in readers)
        {
            reader.Node.SetInput(reader.Index, rounded);
        }

        if (producer is not null && value.IsGraphOutput)
        {
            LayerNames.ReturnInstead(value, rounded);
        }

        if (value.IsUnused && value.Producer is { } unused)
        {
            graph.Remove(unused);
        }
    }

    // Where integers begin at 0, rounding clips as the ReLU or Clip before it does: what it reads will do, and a node less is to be run and differentiated.
    private static Value Unclipped(QdqNode? producer, Value value, int least) =>
        producer is not null && producer.Result == value && value != producer.Node.Outputs[0] && least == 0 ? producer.Node.Outputs[0] : value;

    private Value SizeOf(Value value)
    {
        var first = _shared.Of(value.Name)[0];
        if (!_activations.TryGetValue(first, out var known))
        {
            var step = new StepSize(NameOf(first), [activations.Of(_shared.Of(value.Name)).Scale], _clipped.Contains(first) ? 1 : StepSize.Greatest);
            known = (step, step.Write(graph, first + "_step_size", graph.FirstNode));
            _activations.Add(first, known);
        }

        return known.Size;
    }

    private string NameOf(string of) => learn ? graph.UniqueName(of + "_step") : "";
}
