using Build.ML.Graph.Ir;

namespace Build.ML.Graph.Passes.Opsets;

/// <summary>
/// Version 7 brought NumPy's broadcasting, which aligns shapes at the end. Before, <c>broadcast = 1, axis = k</c> aligned the second operand at dimension k:
/// it is given trailing dimensions of size 1.
/// </summary>
[OpsetConversions]
sealed class BroadcastConversions : OpsetConversionTable
{
    public BroadcastConversions()
    {
        Since(7, ["Add", "Sub", "Mul", "Div", "Pow", "And", "Or", "Xor", "Equal", "Less", "Greater"], c =>
        {
            if (c.Node.Int("broadcast", 0) != 0 && c.Node.Attribute("axis")?.Value is long axis)
            {
                Align(c, axis);
            }

            c.Node.RemoveAttribute("broadcast");
            c.Node.RemoveAttribute("axis");
        });
        // A slope per channel was given as [C].
        Since(7, ["PRelu"], c =>
        {
            if (c.ShapeOf(1) is not { Rank: 1 } slope || slope[0].Size != 1)
            {
                Align(c, 1);
            }
        });
    }

    private static void Align(OpsetConversionContext c, long axis)
    {
        if (c.ShapeOf(0) is not { } a || c.ShapeOf(1) is not { } b)
        {
            c.Refuse("the ranks of its operands, which tell how they broadcast, are unknown");
            return;
        }

        var trailing = a.Rank - (int)(axis < 0 ? axis + a.Rank : axis) - b.Rank;
        if (trailing <= 0)
        {
            return;
        }

        if (c.Node.Input(1)!.Constant is { } constant)
        {
            c.SetConstant(1, "aligned", constant.Reshape([.. constant.Sizes, .. Enumerable.Repeat(1L, trailing)]));
            return;
        }

        // Unsqueeze takes its axes as an attribute here; its own conversion follows at version 13.
        var axes = Enumerable.Range(b.Rank, trailing).Select(i => (long)i).ToArray();
        c.Node.SetInput(1, c.Graph.Add(
            "Unsqueeze", [c.Node.Input(1)], c.Node.Outputs[0].Name + "_aligned", [NodeAttribute.Ints("axes", axes)], before: c.Node));
    }
}
