using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;

namespace Build.ML.Graph.Coupling;

/// <summary>
/// Changes constant elements of a small integer input of one node: a constant itself, or constant pieces that the graph joins with sizes it computes.
/// An input that is computed from constants alone becomes a constant. What is changed becomes the node's own; other readers keep what they read. Elements that the graph computes stay computed.
/// </summary>
sealed class ShapeInput(Node reader, int input, Tensor? computed, Func<Value, Shape?> shapeOf)
{
    /// <summary>A value like <paramref name="value"/> with other elements where these are constants.</summary>
    public Value WithElements(Value value, IReadOnlyDictionary<int, long> elements)
    {
        if (value.Constant is { } constant)
        {
            return Edited(value, constant, elements);
        }

        if (computed is not null && value == reader.Inputs[input])
        {
            return Edited(value, computed, elements);
        }

        if (value.Producer is not { Domain: "", Graph: var graph } node || graph != reader.Graph)
        {
            return value;
        }

        switch (node.OpType)
        {
            case "Concat":
                return Concat(value, node, elements);
            case "Identity" or "Cast" or "Unsqueeze" or "Squeeze" or "Reshape" when node.Input(0) is { } source:
                return Copy(value, node, 0, source, WithElements(source, elements));
            default:
                return value;
        }
    }

    private Value Concat(Value value, Node node, IReadOnlyDictionary<int, long> elements)
    {
        var result = value;
        var start = 0;
        for (var i = 0; i < node.Inputs.Count; i++)
        {
            if (node.Inputs[i] is not { } part || shapeOf(part) is not { Rank: 1 } shape || shape[0].Size is not { } length)
            {
                return result; // what follows cannot be placed
            }

            var own = elements.Where(e => e.Key >= start && e.Key < start + length).ToDictionary(e => e.Key - start, e => e.Value);
            if (own.Count > 0)
            {
                result = Copy(result, result.Producer!, i, part, WithElements(part, own));
            }

            start += (int)length;
        }

        return result;
    }

    /// <summary>The node again, reading another input; the same value where nothing changed.</summary>
    private Value Copy(Value value, Node node, int index, Value old, Value input)
    {
        if (input == old)
        {
            return value;
        }

        var copy = reader.Graph.CreateNode(node.OpType);
        foreach (var attribute in node.Attributes)
        {
            copy.SetAttribute(attribute);
        }

        copy.SetInputs([.. node.Inputs]);
        copy.SetInput(index, input);
        var output = copy.AddOutput(reader.Graph.UniqueName(value.Name + "_cut"));
        output.Type = value.Type;
        reader.Graph.InsertBefore(reader, copy);
        if (node.Outputs[0].IsUnused)
        {
            node.Graph.Remove(node);
        }

        return output;
    }

    private Value Edited(Value value, Tensor constant, IReadOnlyDictionary<int, long> elements)
    {
        Tensor edited;
        if (constant.Type == DataType.Int32)
        {
            var values = constant.ToArray<int>();
            foreach (var (element, size) in elements)
            {
                values[element] = checked((int)size);
            }

            edited = Tensor.Of(values, constant.Sizes.AsSpan());
        }
        else
        {
            var values = constant.ToArray<long>();
            foreach (var (element, size) in elements)
            {
                values[element] = size;
            }

            edited = Tensor.Of(values, constant.Sizes.AsSpan());
        }

        if (value is { Initializer: not null, IsGraphInput: false, IsGraphOutput: false, Uses: [var only] } && only.Node == reader)
        {
            value.Graph.SetInitializer(value, edited);
            return value;
        }

        return reader.Graph.AddInitializer(value.Name + "_cut", edited);
    }
}
