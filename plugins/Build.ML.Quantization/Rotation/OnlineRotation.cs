using Build.ML.Calibration.Layers;
using Build.ML.Graph;
using Build.ML.Graph.Tensors;
using Build.ML.Quantization.Folding;

namespace Build.ML.Quantization.Rotation;

/// <summary>
/// Rotates the input of a group where nothing before can take the rotation, such as the product of gate and up projections: x·R by a product at run time, Rᵀ·W in the weights (QuaRot's online Hadamard
/// transform). It costs channels² multiplications a row: ONNX has no fast Hadamard transform.
/// </summary>
internal static class OnlineRotation
{
    /// <summary>Puts a product with a randomized Hadamard matrix before a group. The model computes the same function.</summary>
    public static void Insert(LayerGroup group, Random random, int threads)
    {
        var rotation = OrthogonalMatrix.Random(group.Channels, keepsMean: false, random);
        var first = GroupOrder.Of(group.Layers[0].Node.Graph, [group])[0].First;
        var graph = first.Graph;
        var type = group.Layers[0].ComputeType;
        var bytes = new byte[rotation.Length * type.BitWidth() / 8];
        FloatElements.Write(type, rotation, bytes);
        var matrix = graph.AddInitializer(group.Activation.Name + "_rotation", Tensor.OfBytes(type, bytes, group.Channels, group.Channels));
        var rotated = graph.Add("MatMul", [group.Activation, matrix], group.Activation.Name + "_rotated", before: first);
        rotated.Type = group.Activation.Type;
        var edit = new RotationEdit(threads);
        foreach (var layer in group.Layers)
        {
            layer.Node.SetInput(0, rotated);
            edit.Reader(layer.Node, new BlockRotation(group.Channels, [rotation]));
        }
    }
}
