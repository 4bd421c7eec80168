using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;

namespace Build.ML.Quantization.Mixed;

/// <summary>Puts other numbers into a constant, whether it is an initializer or the output of a Constant node.</summary>
/// <param name="constant">The constant.</param>
internal sealed class ConstantReplacement(Value constant)
{
    /// <summary>Replaces the numbers.</summary>
    public void Set(Tensor tensor)
    {
        if (constant.Producer is { } node)
        {
            node.SetAttribute(NodeAttribute.Tensor("value", tensor));
        }
        else
        {
            constant.Graph.SetInitializer(constant, tensor);
        }
    }
}
