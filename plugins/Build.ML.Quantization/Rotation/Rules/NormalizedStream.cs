using Build.ML.Graph.Ir;

namespace Build.ML.Quantization.Rotation.Rules;

/// <summary>Normalizations commute with rotations but for gamma, which moves on into the readers; LayerNormalization also needs the mean kept.</summary>
[StreamRules]
internal sealed class NormalizedStream : StreamRuleTable
{
    /// <summary>Names the rules.</summary>
    public NormalizedStream()
    {
        Rule("LayerNormalization", (walk, node) => Normalize(walk, node, gamma: 1, beta: 2, keepsMean: true));
        Rule("RMSNormalization", (walk, node) => Normalize(walk, node, gamma: 1, beta: -1, keepsMean: false));
        Rule("SimplifiedLayerNormalization", (walk, node) => Normalize(walk, node, gamma: 1, beta: -1, keepsMean: false));
        Rule("SkipLayerNormalization", (walk, node) => Skip(walk, node, beta: 3, bias: 4, keepsMean: true), Microsoft);
        Rule("SkipSimplifiedLayerNormalization", (walk, node) => Skip(walk, node, beta: -1, bias: 3, keepsMean: false), Microsoft);
    }

    private static void Skip(StreamWalk walk, Node node, int beta, int bias, bool keepsMean)
    {
        walk.Rotate(node.Inputs[0]);
        walk.Rotate(node.Inputs[1]);
        if (node.Input(bias) is not null)
        {
            walk.RotateConstant(node, bias);
        }

        if (node.Outputs.Count > 3 && node.Outputs[3].Name.Length > 0)
        {
            walk.Rotate(node.Outputs[3]);
        }

        Normalize(walk, node, 2, beta, keepsMean);
    }

    private static void Normalize(StreamWalk walk, Node node, int gamma, int beta, bool keepsMean)
    {
        var axis = node.Int("axis", -1);
        if (axis != -1 && axis != (node.Inputs[0]!.Shape?.Rank ?? 0) - 1)
        {
            walk.Fail($"{node.DisplayName} normalizes more than the last dimension");
            return;
        }

        if (node.Input(gamma)?.Constant is not { } tensor || tensor.Count != walk.Width)
        {
            walk.Fail($"the gamma of {node.DisplayName} is no constant of {walk.Width} numbers");
            return;
        }

        walk.KeepsMean |= keepsMean;
        walk.Rotate(node.Inputs[0]);
        var use = new ConstantUse(node, gamma);
        walk.Rotate(node.Outputs[0], use);
        if (beta >= 0 && node.Input(beta) is { } b)
        {
            if (b.Constant is null)
            {
                walk.Fail($"the beta of {node.DisplayName} is not constant");
                return;
            }

            walk.Betas[new(node, beta)] = use;
        }
    }
}
