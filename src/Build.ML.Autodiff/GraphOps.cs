using System.Collections.Immutable;
using Build.ML.Graph;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Shapes;
using Build.ML.Graph.Tensors;

namespace Build.ML.Autodiff;

/// <summary>
/// Emits nodes into a training graph; each value's static shape is known as soon as it is emitted. Equal constants are shared, and what would change nothing (a reshape to the same
/// sizes, a product with 1) emits nothing.
/// </summary>
public sealed partial class GraphOps
{
    /// <summary>Domain of ONNX Runtime's contributed operators.</summary>
    public const string Microsoft = "com.microsoft";

    /// <summary>Domain of ONNX Runtime's operators on blocked channels.</summary>
    public const string Blocked = "com.microsoft.nchwc";

    /// <summary>Domain of this project's own operators, kernels of the runtime that runs the model (<see cref="Kernels"/>).</summary>
    public const string KernelDomain = "com.buildml";

    private readonly TrainingModelBuilder _builder;
    private readonly Model _model;
    private readonly OnnxGraph _graph;
    private readonly GrowingShapes _shapes;
    private readonly Dictionary<(DataType Type, double Number), Value> _scalars = [];
    private readonly Dictionary<string, Value> _integers = new(StringComparer.Ordinal);

    internal GraphOps(TrainingModelBuilder builder, Model model)
    {
        (_builder, _model, _graph) = (builder, model, model.Graph);
        _shapes = new GrowingShapes(model);
    }

    /// <summary>Operators beyond ONNX Runtime's own that may be emitted (<see cref="TrainingModelOptions.Kernels"/>).</summary>
    public ImmutableHashSet<string> Kernels => _builder.Options.Kernels;

    /// <summary>Whether batch normalization uses the batch's statistics (<see cref="TrainingModelOptions.BatchStatistics"/>).</summary>
    public bool BatchStatistics => _builder.Options.BatchStatistics;

    /// <summary>Whether Dropout drops (<see cref="TrainingModelOptions.Dropout"/>).</summary>
    public bool Dropout => _builder.Options.Dropout;

    /// <summary>Where nodes are put; null for the end.</summary>
    internal Node? Before { get; set; }

    /// <summary>Prefix of the names of values.</summary>
    internal string Scope { get; set; } = "";

    /// <summary>Emits a node with one output.</summary>
    /// <param name="opType">Operator of ONNX's own domain.</param>
    /// <param name="inputs">Inputs; null for one that is left out.</param>
    /// <param name="attributes">Attributes.</param>
    public Value Node(string opType, ReadOnlySpan<Value?> inputs, params ReadOnlySpan<NodeAttribute> attributes) => Nodes(opType, inputs, 1, attributes)[0];

    /// <summary>Emits a node with one output.</summary>
    /// <param name="domain">Operator set domain, such as <see cref="Microsoft"/>.</param>
    /// <param name="opType">Operator.</param>
    /// <param name="inputs">Inputs; null for one that is left out.</param>
    /// <param name="type">Type of the output where no shape rule tells it, else null.</param>
    /// <param name="attributes">Attributes.</param>
    public Value Node(string domain, string opType, ReadOnlySpan<Value?> inputs, TensorType? type, params ReadOnlySpan<NodeAttribute> attributes) =>
        Emit(domain, opType, inputs, 1, type, attributes)[0];

    /// <summary>Emits a node with several outputs.</summary>
    /// <param name="opType">Operator of ONNX's own domain.</param>
    /// <param name="inputs">Inputs; null for one that is left out.</param>
    /// <param name="outputs">Number of outputs.</param>
    /// <param name="attributes">Attributes.</param>
    public Value[] Nodes(string opType, ReadOnlySpan<Value?> inputs, int outputs, params ReadOnlySpan<NodeAttribute> attributes) =>
        Emit("", opType, inputs, outputs, null, attributes);

    /// <summary>Emits a node of <see cref="KernelDomain"/>; only for operators in <see cref="Kernels"/>.</summary>
    /// <param name="opType">Operator.</param>
    /// <param name="inputs">Inputs; null for one that is left out.</param>
    /// <param name="outputSizes">Sizes of each output, all of which are float.</param>
    /// <param name="attributes">Attributes.</param>
    public Value[] Kernel(string opType, ReadOnlySpan<Value?> inputs, ReadOnlySpan<ImmutableArray<long>> outputSizes, params ReadOnlySpan<NodeAttribute> attributes)
    {
        var outputs = Emit(KernelDomain, opType, inputs, outputSizes.Length, null, attributes);
        for (var i = 0; i < outputs.Length; i++)
        {
            outputs[i].Type = new TensorType(DataType.Float, Shape.Of(outputSizes[i].AsSpan()));
        }

        return outputs;
    }

    /// <summary>A constant.</summary>
    /// <param name="tensor">Its content.</param>
    public Value Constant(Tensor tensor)
    {
        var value = _graph.AddInitializer(Scope + "constant", tensor);
        value.Type = new TensorType(tensor.Type, tensor.Shape);
        return value;
    }

    /// <summary>A constant list of integers, rank 1; equal ones are one.</summary>
    public Value Integers(params ReadOnlySpan<long> values)
    {
        var key = string.Join(',', values.ToArray());
        return _integers.TryGetValue(key, out var known) ? known : _integers[key] = Constant(Tensor.Of(values.ToArray(), values.Length));
    }

    /// <summary>A constant scalar; equal ones are one.</summary>
    /// <param name="number">Its value.</param>
    /// <param name="type">Float (default), double or int64.</param>
    public Value Scalar(double number, DataType type = DataType.Float)
    {
        if (!_scalars.TryGetValue((type, number), out var scalar))
        {
            scalar = Constant(type switch
            {
                DataType.Float => Tensor.Scalar((float)number),
                DataType.Double => Tensor.Scalar(number),
                DataType.Int64 => Tensor.Scalar((long)number),
                DataType.Int32 => Tensor.Scalar((int)number),
                _ => throw new ArgumentOutOfRangeException(nameof(type), type, "Scalars are float, double, int32 or int64."),
            });
            _scalars.Add((type, number), scalar);
        }

        return scalar;
    }

    /// <summary>Elements that are all one number, computed when the model runs.</summary>
    /// <param name="number">The number.</param>
    /// <param name="sizes">Sizes.</param>
    public Value Fill(float number, params ReadOnlySpan<long> sizes) =>
        Node("ConstantOfShape", [Integers(sizes)], NodeAttribute.Tensor("value", Tensor.Of([number], 1)));

    /// <summary>Zeros.</summary>
    /// <param name="sizes">Sizes.</param>
    public Value Zeros(params ReadOnlySpan<long> sizes) => Fill(0, sizes);

    /// <summary>Random numbers drawn anew for each step: 1/keep with probability keep, else 0 (inverted dropout).</summary>
    /// <param name="keepProbability">Above 0, at most 1.</param>
    /// <param name="sizes">Sizes.</param>
    public Value Random(float keepProbability, params ReadOnlySpan<long> sizes) => _builder.AddRandom(keepProbability, sizes);

    /// <summary>After each step the initializer becomes momentum·old + (1 − momentum)·<paramref name="statistic"/>.</summary>
    /// <param name="initializer">A float initializer of the forward model; ignored when it is computed otherwise.</param>
    /// <param name="statistic">Of the same sizes.</param>
    /// <param name="momentum">0 to 1.</param>
    public void Track(Value initializer, Value statistic, float momentum) => _builder.AddState(initializer, statistic, momentum);

    /// <summary>Adds an optional output to a node that left it out.</summary>
    internal Value AddOutput(Node node, int index)
    {
        while (node.Outputs.Count <= index)
        {
            node.AddOutput(_builder.FreshName(node.OpType));
        }

        var output = node.Outputs[index];
        if (output.Name.Length == 0)
        {
            _graph.Rename(output, _builder.FreshName(node.OpType));
        }

        _shapes.Infer(node);
        return output;
    }

    /// <summary>Emits a node again, on other inputs.</summary>
    internal Value[] Repeat(Node node, ReadOnlySpan<Value?> inputs)
    {
        var outputs = Emit(node.Domain, node.OpType, inputs, node.Outputs.Count, null, node.Attributes.ToArray());
        for (var i = 0; i < outputs.Length; i++)
        {
            outputs[i].Type ??= node.Outputs[i].Type;
        }

        return outputs;
    }

    private Value[] Emit(string domain, string opType, ReadOnlySpan<Value?> inputs, int outputs, TensorType? type, ReadOnlySpan<NodeAttribute> attributes)
    {
        var node = _graph.CreateNode(opType, domain);
        node.SetInputs(inputs);
        foreach (var attribute in attributes)
        {
            node.SetAttribute(attribute);
        }

        for (var i = 0; i < outputs; i++)
        {
            node.AddOutput(_builder.FreshName(Scope + opType));
        }

        node.Name = node.Outputs[0].Name;
        node.Outputs[0].Type = type;
        if (domain.Length > 0 && _model.OperatorSets[domain] == 0)
        {
            _model.OperatorSets[domain] = 1;
        }

        _graph.InsertBefore(Before, node);
        _shapes.Infer(node);
        _builder.NoteDependence(node);
        return [.. node.Outputs];
    }
}
