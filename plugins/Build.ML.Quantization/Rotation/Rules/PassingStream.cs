using Build.ML.Graph.Ir;

namespace Build.ML.Quantization.Rotation.Rules;

/// <summary>Operators that move whole rows of the stream: what goes in rotated comes out rotated, and the other way round.</summary>
[StreamRules]
internal sealed class PassingStream : StreamRuleTable
{
    /// <summary>Names the rules.</summary>
    public PassingStream()
    {
        Rule(["Identity", "Dropout", "Cast"], (walk, node) => Link(walk, node));
        Rule(["Reshape", "Unsqueeze", "Squeeze", "Flatten", "Expand"], (walk, node) =>
        {
            if (Last(node.Inputs[0]!) == walk.Width && Last(node.Outputs[0]) == walk.Width)
            {
                Link(walk, node);
            }
            else
            {
                walk.Fail($"{node.DisplayName} changes the stream's last dimension, {walk.Width}");
            }
        });
        Rule("Transpose", (walk, node) =>
        {
            var perm = node.Ints("perm");
            if (!perm.IsDefault && perm[^1] == perm.Length - 1)
            {
                Link(walk, node);
            }
            else
            {
                walk.Fail($"{node.DisplayName} moves the stream's last dimension");
            }
        });
        Rule("Slice", (walk, node) =>
        {
            if (Last(node.Inputs[0]!) == walk.Width && Last(node.Outputs[0]) == walk.Width)
            {
                Pass(walk, node);
            }
            else
            {
                walk.Fail($"{node.DisplayName} cuts the stream's last dimension");
            }
        });
        Rule("Gather", (walk, node) =>
        {
            var rank = node.Inputs[0]!.Shape?.Rank;
            var axis = node.Int("axis", 0);
            if (walk.IsRotated(node.Input(1)) || (axis < 0 ? axis == -1 : axis == rank - 1) || (rank is null && axis != 0))
            {
                walk.Fail($"{node.DisplayName} looks up in the stream's last dimension");
            }
            else
            {
                Pass(walk, node);
            }
        });
        Rule("Concat", (walk, node) =>
        {
            var axis = node.Int("axis", 0);
            if (node.Outputs[0].Shape?.Rank is not { } rank || axis == -1 || axis == rank - 1)
            {
                walk.Fail($"{node.DisplayName} joins along the stream's last dimension");
                return;
            }

            for (var i = 0; i < node.Inputs.Count; i++)
            {
                OrConstant(walk, node, i);
            }

            walk.Rotate(node.Outputs[0]);
        });
        Rule("Shape", (_, _) => { });
    }

    // Positions may be cut from a constant.
    private static void Pass(StreamWalk walk, Node node)
    {
        OrConstant(walk, node, 0);
        walk.Rotate(node.Outputs[0], walk.IsRotated(node.Inputs[0]) ? walk.GammaOf(node.Inputs[0]!) : null);
    }

    private static void OrConstant(StreamWalk walk, Node node, int input)
    {
        if (ConstantReader.Reads(node.Inputs[input]))
        {
            walk.RotateConstant(node, input);
        }
        else
        {
            walk.Rotate(node.Inputs[input]);
        }
    }

    private static void Link(StreamWalk walk, Node node)
    {
        walk.Rotate(node.Inputs[0]);
        walk.Rotate(node.Outputs[0], walk.GammaOf(node.Inputs[0]!));
    }

    private static long? Last(Value value) => value.Shape is { Rank: > 0 } shape ? shape[-1].Size : null;
}
