using Build.ML.Graph.Ir;

namespace Build.ML.Quantization.Folding.Rules;

/// <summary>Linear layers take scales into their output channels; a product of two activations (attention) passes them to its right operand.</summary>
[FoldRules]
internal sealed class LinearFolding : FoldRuleTable
{
    /// <summary>Names the rules.</summary>
    public LinearFolding()
    {
        Rule("MatMul", (walk, y, grid) => Product(walk, y.Producer!, grid));
        Rule("Gemm", (walk, y, grid) => Gemm(walk, y.Producer!, grid));
        Rule("Conv", (walk, y, grid) => Convolution(walk, y.Producer!, grid));
    }

    // (P·V)/s = P·(V/s) for scales that differ between columns and between batches of V, not between its rows' places in P.
    private static string? Product(FoldWalk walk, Node node, ChannelGrid grid)
    {
        var right = node.Inputs[1]!;
        if (right.Constant is { } weight)
        {
            return weight.Rank == 2 && grid.Rank == 1 ? walk.Absorb(node, 1, grid) : $"the channels of {node.DisplayName} are not its last dimension";
        }

        return grid.SizeFromEnd(1) != 1 ? $"the scales differ between the rows of {node.DisplayName}"
            : grid.Unbroadcast(right.Shape, walk.Ties) is { } inner ? walk.Into(right, inner, node)
            : $"the shape of '{right.Name}' is not known";
    }

    private static string? Gemm(FoldWalk walk, Node node, ChannelGrid grid)
    {
        if (grid.Rank != 1)
        {
            return $"the channels of {node.DisplayName} are not its last dimension";
        }

        var weight = node.Int("transB", 0) != 0 ? new ChannelGrid([grid.Sizes[0], 1], grid.Labels) : grid;
        return walk.Absorb(node, 1, weight) ?? Bias(walk, node, grid);
    }

    private static string? Convolution(FoldWalk walk, Node node, ChannelGrid grid)
    {
        var rank = node.Inputs[1]!.Constant?.Rank ?? 0;
        return rank < 3 || grid.Rank != rank - 1 || grid.Labels.Length != grid.Sizes[0]
            ? $"the channels of {node.DisplayName} are not its second dimension"
            : walk.Absorb(node, 1, new ChannelGrid([.. grid.Sizes, 1], grid.Labels)) ?? Bias(walk, node, new ChannelGrid([grid.Sizes[0]], grid.Labels));
    }

    private static string? Bias(FoldWalk walk, Node node, ChannelGrid grid) => node.Input(2) is null ? null : walk.Absorb(node, 2, grid);
}
