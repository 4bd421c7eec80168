using Build.ML.Graph.Ir;
using Build.ML.Graph.Shapes;

namespace Build.ML.Graph.Passes;

/// <summary>
/// Removes nodes that yield their input unchanged: Identity, Dropout without training mode, Cast to the type at hand, Transpose, Reshape, Expand, Slice,
/// Pad and Concat that change nothing. One that gives an input or a constant the name of an output stays.
/// </summary>
[GraphPass("remove-identity", Order = 210)]
public sealed class RemoveIdentity : IGraphPass
{
    /// <inheritdoc/>
    public int Run(Model model)
    {
        ArgumentNullException.ThrowIfNull(model);
        var inferred = ShapeInference.Infer(model, useDeclared: false);
        var removed = 0;
        foreach (var graph in model.Graphs())
        {
            foreach (var node in graph.Nodes)
            {
                if (node.Outputs.Count > 0 && node.Outputs.Skip(1).All(o => o.IsUnused) && node.Input(0) is { } input
                    && YieldsItsInput(node, input, model.Opset, inferred) && node.TryBypass(node.Outputs[0], input))
                {
                    removed++;
                }
            }
        }

        return removed;
    }

    private static bool YieldsItsInput(Node node, Value input, long opset, ShapeInferenceResult inferred)
    {
        if (node.Domain.Length > 0)
        {
            return false;
        }

        switch (node.OpType)
        {
            case "Identity":
                return true;
            case "Dropout":
                // Since version 12 training is asked for by an input; version 1 and 6 by an attribute that says "test" or not, with 0 the default.
                return opset >= 12 ? node.Input(2) is null || node.Input(2).IsFalse() : opset >= 7 || node.Int("is_test", 0) != 0;
            case "Cast":
                return ElementOf(input, inferred) is var element and not DataType.Undefined && element == (DataType)node.Int("to", 0);
            case "Transpose":
                return node.Ints("perm") is { IsDefault: false } perm && perm.Select((p, i) => p == i).All(same => same);
            case "Reshape" or "Expand" or "Slice" or "Pad" or "Concat" or "Flatten" or "Squeeze" or "Unsqueeze":
                // Equal static shapes: these move elements only when they change the shape; a Slice with a negative step is the exception.
                return (node.OpType != "Concat" || node.Inputs.Count == 1)
                    && (node.OpType != "Slice" || node.Input(4) is null || node.Input(4).Integers()?.All(s => s > 0) == true)
                    && (node.OpType != "Pad" || PadsNothing(node))
                    && ShapeOf(input, inferred) is { } before && ShapeOf(node.Outputs[0], inferred) is { } after
                    && before.Equals(after) && !before.Dimensions.Contains(Dimension.Unknown);
            default:
                return false;
        }
    }

    private static bool PadsNothing(Node node) =>
        (node.Ints("pads") is { IsDefault: false } pads ? [.. pads] : node.Input(1).Integers())?.All(p => p == 0) == true;

    private static DataType ElementOf(Value value, ShapeInferenceResult inferred) =>
        inferred.Types.TryGetValue(value, out var type) ? (type as TensorType)?.ElementType ?? DataType.Undefined : value.ElementType;

    private static Shape? ShapeOf(Value value, ShapeInferenceResult inferred) =>
        inferred.Types.TryGetValue(value, out var type) ? (type as TensorType)?.Shape : value.Producer is null ? value.Shape : null;
}
