using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;

namespace Build.ML.Graph.Passes.Opsets;

/// <summary>A node to be carried over to the next version of the operator set.</summary>
/// <param name="node">The node.</param>
/// <param name="typeOf">Types as inferred before the first conversion.</param>
public sealed class OpsetConversionContext(Node node, Func<Value, TensorType?> typeOf)
{
    /// <summary>The node, to be edited.</summary>
    public Node Node => node;

    /// <summary>The graph of the node.</summary>
    public OnnxGraph Graph => node.Graph;

    internal string? Refusal { get; private set; }

    /// <summary>Shape of an input, or null when left out or unknown.</summary>
    public Shape? ShapeOf(int input) => node.Input(input) is { } value ? value.Shape ?? typeOf(value)?.Shape : null;

    /// <summary>Element type of an input, or <see cref="DataType.Undefined"/>.</summary>
    public DataType ElementOf(int input) => node.Input(input) is not { } value ? DataType.Undefined
        : value.ElementType is var own and not DataType.Undefined ? own : typeOf(value)?.ElementType ?? DataType.Undefined;

    /// <summary>States why the node cannot be converted.</summary>
    /// <param name="reason">Continues "… because".</param>
    public void Refuse(string reason) => Refusal ??= reason;

    /// <summary>Turns an integer list attribute into a constant int64 input of rank 1; nothing when it is not there.</summary>
    public void IntsToInput(string attribute, int input)
    {
        if (node.Ints(attribute) is { IsDefault: false } values)
        {
            SetConstant(input, attribute, Tensor.Of(values.ToArray(), values.Length));
        }

        node.RemoveAttribute(attribute);
    }

    /// <summary>Sets an input to a new constant.</summary>
    public void SetConstant(int input, string name, Tensor tensor)
    {
        var prefix = node.Outputs.Count > 0 ? node.Outputs[0].Name : node.OpType;
        node.SetInput(input, Graph.AddInitializer($"{prefix}_{name}", tensor));
    }
}
