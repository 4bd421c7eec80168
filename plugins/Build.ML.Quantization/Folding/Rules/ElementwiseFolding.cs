using Build.ML.Graph.Ir;

namespace Build.ML.Quantization.Folding.Rules;

/// <summary>Products, sums, and functions f with f(x/s) = f(x)/s for s &gt; 0.</summary>
[FoldRules]
internal sealed class ElementwiseFolding : FoldRuleTable
{
    /// <summary>Names the rules.</summary>
    public ElementwiseFolding()
    {
        Rule("Mul", (walk, y, grid) => Product(walk, y.Producer!, grid));
        Rule("Div", (walk, y, grid) => Operand(walk, y.Producer!, 0, grid));
        Rule(["Add", "Sub"], (walk, y, grid) => Operand(walk, y.Producer!, 0, grid) ?? Operand(walk, y.Producer!, 1, grid));
        Rule(
            ["Identity", "Relu", "LeakyRelu", "PRelu", "Abs", "Neg", "Dropout", "Cast", "MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool"],
            (walk, y, grid) => y.OutputIndex > 0 ? $"a second output of {y.Producer!.DisplayName} is used" : walk.Into(y.Producer!.Inputs[0], grid, y.Producer!));
    }

    // A constant factor is the cheapest to divide: the gamma of a decomposed normalization.
    private static string? Product(FoldWalk walk, Node node, ChannelGrid grid)
    {
        var first = node.Input(1)?.Constant is not null ? 1 : 0;
        return walk.First(() => Operand(walk, node, first, grid), () => Operand(walk, node, 1 - first, grid));
    }

    private static string? Operand(FoldWalk walk, Node node, int index, ChannelGrid grid)
    {
        var operand = node.Inputs[index]!;
        if (operand.Constant is not null)
        {
            return walk.Absorb(node, index, grid);
        }

        return grid.Unbroadcast(operand.Shape, walk.Ties) is { } inner
            ? walk.Into(operand, inner, node)
            : $"the shape of '{operand.Name}' is not known where {node.DisplayName} broadcasts it";
    }
}
