using Build.ML.Graph.Ir;

namespace Build.ML.Quantization.Folding.Rules;

/// <summary>Normalizations take scales into gamma and beta.</summary>
[FoldRules]
internal sealed class NormalizationFolding : FoldRuleTable
{
    /// <summary>Names the rules.</summary>
    public NormalizationFolding()
    {
        Rule("LayerNormalization", (walk, y, grid) => Last(walk, y, grid, 1, 2));
        Rule("RMSNormalization", (walk, y, grid) => Last(walk, y, grid, 1));
        Rule("SimplifiedLayerNormalization", (walk, y, grid) => Last(walk, y, grid, 1));
        Rule("SkipLayerNormalization", (walk, y, grid) => Last(walk, y, grid, 2, 3), Microsoft);
        Rule("SkipSimplifiedLayerNormalization", (walk, y, grid) => Last(walk, y, grid, 2), Microsoft);
        Rule(["BatchNormalization", "InstanceNormalization"], (walk, y, grid) => Second(walk, y, grid));
    }

    private static string? Last(FoldWalk walk, Value y, ChannelGrid grid, params ReadOnlySpan<int> constants)
    {
        var node = y.Producer!;
        return y.OutputIndex > 0 ? $"'{y.Name}' is not the normalized output of {node.DisplayName}"
            : grid.Rank > 1 ? $"{node.DisplayName} normalizes more than the channels"
            : Absorb(walk, node, grid, constants);
    }

    // Channels are axis 1: the grid is [C, 1, …, 1], gamma and beta are [C].
    private static string? Second(FoldWalk walk, Value y, ChannelGrid grid)
    {
        var node = y.Producer!;
        return y.OutputIndex > 0 || grid.Labels.Length != grid.Sizes[0] ? $"'{y.Name}' has no channels in its second dimension"
            : grid.Rank != (y.Shape?.Rank ?? 0) - 1 ? $"the scales of {node.DisplayName} are not those of its channels"
            : Absorb(walk, node, new ChannelGrid([grid.Sizes[0]], grid.Labels), 1, 2);
    }

    private static string? Absorb(FoldWalk walk, Node node, ChannelGrid grid, params ReadOnlySpan<int> constants)
    {
        foreach (var input in constants)
        {
            if (node.Input(input) is not null && walk.Absorb(node, input, grid) is { } reason)
            {
                return reason;
            }
        }

        return null;
    }
}
