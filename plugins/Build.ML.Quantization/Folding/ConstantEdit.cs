using Build.ML.Calibration.Layers;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;

namespace Build.ML.Quantization.Folding;

/// <summary>Gives nodes other constants.</summary>
internal static class ConstantEdit
{
    /// <summary>Replaces a constant for all that read it, under its name.</summary>
    public static void Replace(Value value, Tensor tensor)
    {
        if (value.Producer is { } constant)
        {
            value.Graph.MakeConstant(constant, tensor);
            return;
        }

        value.Graph.SetInitializer(value, tensor);
    }

    /// <summary>Replaces a constant for one node; others go on reading the old one.</summary>
    public static void ReplaceFor(Node node, int input, Tensor tensor)
    {
        var value = node.Inputs[input]!;
        if (value.Uses.Count == 1 && !value.IsGraphOutput)
        {
            Replace(value, tensor);
            return;
        }

        node.SetInput(input, node.Graph.AddInitializer(value.Name + "_own", tensor));
        ConstantSource.RemoveIfUnused(value);
    }
}
