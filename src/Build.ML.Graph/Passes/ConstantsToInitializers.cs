using System.Collections.Immutable;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;

namespace Build.ML.Graph.Passes;

/// <summary>Turns Constant nodes into initializers, where weights are looked for. One that a graph returns stays a node.</summary>
[GraphPass("constants-to-initializers", Order = 110)]
public sealed class ConstantsToInitializers : IGraphPass
{
    /// <inheritdoc/>
    public int Run(Model model)
    {
        ArgumentNullException.ThrowIfNull(model);
        var changes = 0;
        foreach (var graph in model.Graphs())
        {
            foreach (var node in graph.Nodes)
            {
                if (node.Is("Constant") && !node.Outputs[0].IsGraphOutput && ValueOf(node) is { } tensor)
                {
                    graph.MakeConstant(node, tensor);
                    changes++;
                }
            }
        }

        return changes;
    }

    private static Tensor? ValueOf(Node node) => node.Attributes is not [{ ReferenceName: "" } attribute] ? null : attribute.Value switch
    {
        Tensor tensor => tensor,
        float value => Tensor.Scalar(value),
        long value => Tensor.Scalar(value),
        ImmutableArray<float> values => Tensor.Of(values.ToArray(), values.Length),
        ImmutableArray<long> values => Tensor.Of(values.ToArray(), values.Length),
        _ => null, // strings and sparse tensors gain nothing
    };
}
