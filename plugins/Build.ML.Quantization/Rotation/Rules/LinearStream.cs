using Build.ML.Calibration.Layers;
using Build.ML.Graph.Ir;

namespace Build.ML.Quantization.Rotation.Rules;

/// <summary>Linear layers take the rotation into their weights: into the inputs of those that read the stream, the outputs of those that write it.</summary>
[StreamRules]
internal sealed class LinearStream : StreamRuleTable
{
    /// <summary>Names the rules.</summary>
    public LinearStream() => Rule(["MatMul", "Gemm"], Linear);

    private static void Linear(StreamWalk walk, Node node)
    {
        if (walk.IsRotated(node.Inputs[1]) || ConstantSource.Of(node.Inputs[1]) is not { Tensor: { Rank: 2 } tensor } || !FloatElements.Has(tensor.Type)
            || node.Int("transA", 0) != 0)
        {
            walk.Fail($"{node.DisplayName} multiplies the stream with no constant matrix");
            return;
        }

        if (walk.IsRotated(node.Inputs[0]))
        {
            walk.Readers[node] = walk.GammaOf(node.Inputs[0]!);
        }

        if (!walk.IsRotated(node.Outputs[0]))
        {
            return;
        }

        walk.Writers.Add(node);
        if (node.Input(2) is { } bias)
        {
            if (bias.Constant is null)
            {
                walk.Rotate(bias);
            }
            else
            {
                walk.RotateConstant(node, 2);
            }
        }
    }
}
