using Build.ML.Graph.Ir;

namespace Build.ML.Quantization.Folding.Rules;

/// <summary>Fused attention passes scales of its output to its values: each output head is a mean of one value head.</summary>
[FoldRules]
internal sealed class AttentionFolding : FoldRuleTable
{
    /// <summary>Names the rules.</summary>
    public AttentionFolding()
    {
        Rule("MultiHeadAttention", (walk, y, grid) => Values(walk, y, grid, bias: 3, pasts: [6, 7]), Microsoft);
        Rule("GroupQueryAttention", (walk, y, grid) => Grouped(walk, y, grid), Microsoft);
    }

    private static string? Values(FoldWalk walk, Value y, ChannelGrid grid, int bias, ReadOnlySpan<int> pasts)
    {
        var node = y.Producer!;
        if (node.Input(bias) is not null)
        {
            return $"{node.DisplayName} adds a bias of its own to its values";
        }

        return Obstacle(y, grid, pasts) ?? walk.Into(node.Input(2), grid, node);
    }

    private static string? Grouped(FoldWalk walk, Value y, ChannelGrid grid)
    {
        var node = y.Producer!;
        var (heads, shared) = ((int)node.Int("num_heads", 0), (int)node.Int("kv_num_heads", 0));
        if (node.Input(2) is null)
        {
            return $"{node.DisplayName} takes queries, keys and values packed together";
        }

        if (Obstacle(y, grid, [3, 4]) is { } reason)
        {
            return reason;
        }

        if (heads == 0 || shared == 0 || heads % shared != 0 || grid.Sizes[0] % heads != 0)
        {
            return $"{node.DisplayName} has {heads} heads on {shared}, not a whole number each";
        }

        // Query heads h·g … h·g + g − 1 read value head h.
        var size = grid.Sizes[0] / heads;
        var tied = new ChannelGrid([shared, heads / shared, size], grid.Labels).TiedAlong(1, walk.Ties);
        return walk.Into(node.Input(2), new ChannelGrid([shared * size], tied.Labels), node);
    }

    private static string? Obstacle(Value y, ChannelGrid grid, ReadOnlySpan<int> pasts)
    {
        var node = y.Producer!;
        if (y.OutputIndex > 0 || grid.Rank != 1)
        {
            return $"'{y.Name}' is not the attended output of {node.DisplayName}";
        }

        foreach (var past in pasts)
        {
            if (node.Input(past) is not null)
            {
                return $"{node.DisplayName} takes values of earlier runs, whose scales would have to change with it";
            }
        }

        return node.Outputs.Skip(1).Any(o => !o.IsUnused) ? $"{node.DisplayName} returns its values, whose scales would change" : null;
    }
}
