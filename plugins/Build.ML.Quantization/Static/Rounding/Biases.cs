using Build.ML.Graph.Tensors;

namespace Build.ML.Quantization.Static.Rounding;

/// <summary>Gives layers that can have a bias one of zeros, so that it can be corrected.</summary>
internal static class Biases
{
    /// <summary>Adds what is missing.</summary>
    /// <returns>Whether anything was added.</returns>
    public static bool Ensure(QdqPlan plan)
    {
        var added = false;
        foreach (var layer in plan.Nodes.Where(n => n.Node.OpType is "Conv" or "Gemm" && n.Node.Input(2) is null && n.Form.WeightAxis is not null))
        {
            var node = layer.Node;
            var zeros = new float[node.Inputs[1]!.Constant!.Sizes[layer.Form.WeightAxis!.Value]];
            var bias = node.Graph.AddInitializer(LayerNames.Of(node) + "_bias", Tensor.Of(zeros, zeros.Length));
            node.SetInputs([node.Inputs[0], node.Inputs[1], bias]);
            added = true;
        }

        return added;
    }
}
