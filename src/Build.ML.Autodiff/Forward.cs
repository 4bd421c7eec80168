using System.Collections.Immutable;
using Build.ML.Graph.Ir;

namespace Build.ML.Autodiff;

/// <summary>A forward node as its gradient rule sees it.</summary>
public sealed class Forward
{
    private readonly TrainingModelBuilder _builder;
    private readonly Value?[] _gradients;

    internal Forward(TrainingModelBuilder builder, Node node, Value?[] gradients)
    {
        _builder = builder;
        _gradients = gradients;
        Node = node;
    }

    /// <summary>The node.</summary>
    public Node Node { get; }

    /// <summary>Input 0.</summary>
    public Value X => Input(0);

    /// <summary>Output 0.</summary>
    public Value Y => Node.Outputs[0];

    /// <summary>Number of inputs, left-out ones between others counted.</summary>
    public int InputCount => Node.Inputs.Count;

    /// <summary>An input that must be there.</summary>
    /// <param name="index">From 0.</param>
    public Value Input(int index) =>
        Node.Input(index) ?? throw new InvalidOperationException($"{Node.DisplayName} has no input {index}, which its operator requires.");

    /// <summary>Whether an optional input is there.</summary>
    /// <param name="index">From 0.</param>
    public bool Has(int index) => Node.Input(index) is not null;

    /// <summary>Whether an input's gradient is asked for: it is there and depends on a trainable weight.</summary>
    /// <param name="index">From 0.</param>
    public bool Needs(int index) => Node.Input(index) is { } value && _builder.Depends(value);

    /// <summary>Gradient of an output, or null where it has none: nothing that leads to the loss reads it.</summary>
    /// <param name="index">From 0.</param>
    public Value? Gradient(int index) => index < _gradients.Length ? _gradients[index] : null;

    /// <summary>An output that the node has, or null.</summary>
    /// <param name="index">From 0.</param>
    public Value? Output(int index) => index < Node.Outputs.Count && Node.Outputs[index].Name.Length > 0 ? Node.Outputs[index] : null;

    /// <summary>An output that the node may leave out, such as a normalization's statistics: added to the node where it does.</summary>
    /// <param name="index">From 0.</param>
    public Value Saved(int index) => Output(index) ?? _builder.Ops.AddOutput(Node, index);

    /// <summary>An integer attribute.</summary>
    public long Int(string name, long otherwise) => Node.Int(name, otherwise);

    /// <summary>A number attribute.</summary>
    public float Float(string name, float otherwise) => Node.Float(name, otherwise);

    /// <summary>A text attribute.</summary>
    public string String(string name, string otherwise) => Node.String(name, otherwise);

    /// <summary>A list of integers, or null where the attribute is not there.</summary>
    public ImmutableArray<long>? Ints(string name) => Node.Ints(name) is { IsDefault: false } values ? values : null;

    /// <summary>An integer attribute that is an axis of input 0, from 0 on.</summary>
    public int Axis(string name, long otherwise)
    {
        var axis = Node.Int(name, otherwise);
        return (int)(axis < 0 ? axis + X.Rank() : axis);
    }

    /// <summary>The number of a constant input of one element, or another number where it is left out.</summary>
    /// <param name="index">From 0.</param>
    /// <param name="otherwise">Where it is left out.</param>
    /// <exception cref="Graph.Diagnostics.DiagnosticException">BML8105: the input is no constant.</exception>
    public double Number(int index, double otherwise) => Node.Input(index) is not { } value ? otherwise
        : value.Constant is not { } tensor ? throw NotConstant(index, value)
        : tensor.Type switch
        {
            Graph.DataType.Float => tensor.ToArray<float>()[0],
            Graph.DataType.Double => tensor.ToArray<double>()[0],
            Graph.DataType.Bool => tensor.ToArray<bool>()[0] ? 1 : 0,
            Graph.DataType.Int32 => tensor.ToArray<int>()[0],
            Graph.DataType.Int64 => tensor.ToArray<long>()[0],
            _ => throw NotConstant(index, value),
        };

    /// <summary>The integers of a constant input, or null where it is left out.</summary>
    /// <param name="index">From 0.</param>
    /// <exception cref="Graph.Diagnostics.DiagnosticException">BML8105: the input is no constant.</exception>
    public long[]? Constant(int index) => Node.Input(index) is not { } value ? null
        : value.Constant is { } tensor ? (tensor.Type == Graph.DataType.Int32 ? Array.ConvertAll(tensor.ToArray<int>(), v => (long)v) : tensor.ToArray<long>())
        : throw NotConstant(index, value);

    /// <summary>What a rule throws for a node of its operator that it has no gradient for.</summary>
    /// <param name="why">Completes "is not differentiable …", such as "with reduction 'mul'".</param>
    /// <returns>BML8102; reported together with all others of the model.</returns>
    public Graph.Diagnostics.DiagnosticException NotDifferentiable(string why) => new(BackwardPass.NoGradient(Node, why));

    private Graph.Diagnostics.DiagnosticException NotConstant(int index, Value value) => new(
        "BML8105", $"{Node.DisplayName}: input {index} ('{value.Name}') is computed when the model runs; its gradient needs it as a constant.");
}
