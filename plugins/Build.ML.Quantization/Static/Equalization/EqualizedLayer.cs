using Build.ML.Graph;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;

namespace Build.ML.Quantization.Static.Equalization;

/// <summary>A layer whose weight, held in memory meanwhile, can be scaled by output channel and by input channel.</summary>
internal sealed class EqualizedLayer
{
    private readonly Node _node;
    private readonly Value? _bias;
    private readonly float[] _weight;
    private readonly float[] _biases;
    private readonly int _outputs;
    private readonly int _inputs;
    private readonly int _inner;
    private readonly int _groups;
    private readonly bool _inputsFirst;

    private EqualizedLayer(Node node, Value? bias, Value end, (int Outputs, int Inputs, int Inner, int Groups, bool InputsFirst) layout)
    {
        (_node, _bias, End) = (node, bias, end);
        (_outputs, _inputs, _inner, _groups, _inputsFirst) = layout;
        _weight = node.Inputs[1]!.Constant!.ToArray<float>();
        _biases = bias?.Constant!.ToArray<float>() ?? [];
    }

    /// <summary>What the layer yields, its bias added.</summary>
    public Value End { get; }

    /// <summary>Number of output channels.</summary>
    public int Outputs => _outputs;

    /// <summary>Number of input channels, of all groups.</summary>
    public int Inputs => _inputs * _groups;

    /// <summary>Whether channels are on axis 1 (images) instead of the last.</summary>
    public bool IsConvolution => _node.OpType == "Conv";

    /// <summary>The layer, or null where the node is none that can be scaled: a Conv, Gemm or MatMul with a float weight of its own, a bias of its own or none.</summary>
    public static EqualizedLayer? Of(Node node)
    {
        if (node.Domain.Length > 0 || node.OpType is not ("Conv" or "Gemm" or "MatMul") || node.Input(1) is not { } weight || !IsOwn(weight))
        {
            return null;
        }

        var sizes = weight.Constant!.Sizes;
        if (node.OpType == "Conv")
        {
            var (groups, inner) = ((int)node.Int("group", 1), (int)sizes[2..].Aggregate(1L, (a, b) => a * b));
            return node.Input(2) is { } bias && !IsOwn(bias) ? null : new(node, node.Input(2), node.Outputs[0], ((int)sizes[0], (int)sizes[1], inner, groups, false));
        }

        if (sizes.Length != 2 || node.Float("alpha", 1) != 1 || node.Float("beta", 1) != 1 || node.Int("transA", 0) != 0)
        {
            return null;
        }

        var first = node.OpType == "MatMul" || node.Int("transB", 0) == 0;
        var layout = first ? ((int)sizes[1], (int)sizes[0], 1, 1, true) : ((int)sizes[0], (int)sizes[1], 1, 1, false);
        if (node.OpType == "Gemm")
        {
            return node.Input(2) is { } bias && !(IsOwn(bias) && bias.Constant!.Rank == 1 && bias.Constant.Count == layout.Item1) ? null : new(node, node.Input(2), node.Outputs[0], layout);
        }

        // A MatMul has its bias in an Add.
        return node.Outputs[0] is { IsGraphOutput: false, Uses: [{ Node: { } add } use] } && add.Is("Add") && add.Graph == node.Graph
            && add.Inputs[1 - use.Index] is { } addend && IsOwn(addend) && addend.Constant is { Rank: 1 } vector && vector.Count == layout.Item1
            ? new(node, addend, add.Outputs[0], layout)
            : new(node, null, node.Outputs[0], layout);
    }

    /// <summary>Greatest magnitude of the weights that yield an output channel.</summary>
    public float[] OutputRanges() => Ranges((output, _) => output, _outputs);

    /// <summary>Greatest magnitude of the weights that read an input channel.</summary>
    public float[] InputRanges() => Ranges((_, input) => input, Inputs);

    /// <summary>Divides what output channels yield.</summary>
    public void DivideOutputs(float[] by)
    {
        ForEach((i, output, _) => _weight[i] /= by[output]);
        for (var o = 0; o < _biases.Length; o++)
        {
            _biases[o] /= by[o];
        }
    }

    /// <summary>Multiplies what input channels are read with.</summary>
    public void MultiplyInputs(float[] by) => ForEach((i, _, input) => _weight[i] *= by[input]);

    /// <summary>Puts the weights into the model.</summary>
    public void Write()
    {
        Set(_node.Inputs[1]!, _weight);
        if (_bias is not null)
        {
            Set(_bias, _biases);
        }
    }

    // Under the old name, which patterns in options may speak of.
    private static void Set(Value value, float[] content)
    {
        var tensor = Tensor.Of(content, value.Constant!.Sizes.AsSpan());
        if (value.Producer is { } constant)
        {
            constant.Graph.MakeConstant(constant, tensor);
        }
        else
        {
            value.Graph.SetInitializer(value, tensor);
        }
    }

    private static bool IsOwn(Value value) => value.Constant?.Type == DataType.Float && value.Uses.Count == 1 && !value.IsGraphOutput && !value.IsGraphInput;

    private float[] Ranges(Func<int, int, int> channel, int count)
    {
        var ranges = new float[count];
        ForEach((i, output, input) =>
        {
            ref var range = ref ranges[channel(output, input)];
            range = Math.Max(range, Math.Abs(_weight[i]));
        });
        return ranges;
    }

    private void ForEach(Action<int, int, int> visit)
    {
        var perGroup = _outputs / _groups;
        for (var o = 0; o < _outputs; o++)
        {
            for (var c = 0; c < _inputs; c++)
            {
                var input = o / perGroup * _inputs + c;
                for (var k = 0; k < _inner; k++)
                {
                    visit(_inputsFirst ? c * _outputs + o : (o * _inputs + c) * _inner + k, o, input);
                }
            }
        }
    }
}
