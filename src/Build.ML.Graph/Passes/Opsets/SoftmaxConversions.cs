using Build.ML.Graph.Ir;

namespace Build.ML.Graph.Passes.Opsets;

/// <summary>
/// Before version 13, Softmax, LogSoftmax and Hardmax flattened the input to two dimensions at <c>axis</c> (default 1) and normalized all of the second;
/// since, they normalize along one dimension (default the last). Equal when <c>axis</c> is the last, or all dimensions after it are 1; else a Flatten and
/// a Reshape around the node say the old meaning.
/// </summary>
[OpsetConversions]
sealed class SoftmaxConversions : OpsetConversionTable
{
    public SoftmaxConversions() => Since(13, ["Softmax", "LogSoftmax", "Hardmax"], Convert);

    private static void Convert(OpsetConversionContext c)
    {
        var (node, shape) = (c.Node, c.ShapeOf(0));
        var axis = node.Int("axis", 1);
        if (axis == -1 || (shape is not null && shape.Dimensions.Skip((int)(axis < 0 ? axis + shape.Rank : axis) + 1).All(d => d.Size == 1)))
        {
            node.SetAttribute(NodeAttribute.Int("axis", axis));
            return;
        }

        var (x, y) = (node.Input(0), node.Outputs[0]);
        var graph = c.Graph;
        var flat = graph.Add("Flatten", [x], y.Name + "_flat", [NodeAttribute.Int("axis", axis)], before: node);
        var sizes = graph.Add("Shape", [x], y.Name + "_shape", before: node);
        var normalized = graph.Add(node.OpType, [flat], y.Name + "_normalized", [NodeAttribute.Int("axis", -1)], before: node);
        // The node itself becomes the Reshape, so that its output stays the value that others read.
        node.OpType = "Reshape";
        node.RemoveAttribute("axis");
        node.SetInputs(normalized, sizes);
    }
}
