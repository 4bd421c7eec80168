using Build.ML.Graph.Ir;

namespace Build.ML.Quantization.Rotation.Rules;

/// <summary>Sums connect the stream; products with one number a row (normalization) and squares under a mean commute with rotations; a gamma moves on.</summary>
[StreamRules]
internal sealed class ArithmeticStream : StreamRuleTable
{
    /// <summary>Names the rules.</summary>
    public ArithmeticStream()
    {
        Rule(["Add", "Sub"], Sum);
        Rule("Mul", Product);
        Rule("Div", Quotient);
        Rule("Pow", (walk, node) =>
        {
            if (node.Input(1)?.Constant is { Count: 1 } && walk.IsRotated(node.Input(0)))
            {
                Square(walk, node);
            }
            else
            {
                walk.Fail($"{node.DisplayName} is not a square of the stream");
            }
        });
        Rule(["ReduceMean", "ReduceSum", "ReduceL2", "ReduceSumSquare"], (walk, node) =>
        {
            var isLast = node.Inputs[0]!.Shape is { } shape && ConstantReader.ReducesLast(node, shape.Rank);
            if (isLast && node.OpType is "ReduceL2" or "ReduceSumSquare")
            {
                return; // lengths stay
            }

            if (isLast)
            {
                walk.KeepsMean = true;
            }
            else if (node.OpType is "ReduceMean" or "ReduceSum" && node.Inputs[0]!.Shape is not null && node.Outputs[0].Shape is { Rank: > 0 } y && y[-1].Size == walk.Width)
            {
                walk.Rotate(node.Outputs[0]); // a mean over rows
            }
            else
            {
                walk.Fail($"{node.DisplayName} mixes the stream's last dimension with others");
            }
        });
    }

    private static void Sum(StreamWalk walk, Node node)
    {
        // A decomposed LayerNormalization adds its beta to what gamma was multiplied with.
        for (var i = 0; i < 2; i++)
        {
            if (walk.IsRotated(node.Inputs[i]) && walk.GammaOf(node.Inputs[i]!) is { } gamma)
            {
                if (node.Inputs[1 - i]!.Constant is null)
                {
                    walk.Fail($"'{node.Inputs[i]!.Name}', normalized with a gamma, is added to the stream by {node.DisplayName}");
                    return;
                }

                walk.Betas[new(node, 1 - i)] = gamma;
                walk.Rotate(node.Outputs[0], gamma);
                return;
            }
        }

        for (var i = 0; i < 2; i++)
        {
            var operand = node.Inputs[i]!;
            if (operand.Constant is null && ConstantReader.IsOnePerRow(operand) && walk.IsRotated(node.Inputs[1 - i]))
            {
                walk.KeepsMean = true; // m·1 with m a number a row: the rotation maps 1 to itself
            }
            else if (operand.Constant is not null)
            {
                walk.RotateConstant(node, i);
            }
            else
            {
                walk.Rotate(operand);
            }
        }

        walk.Rotate(node.Outputs[0]);
    }

    private static void Product(StreamWalk walk, Node node)
    {
        if (node.Inputs[0] == node.Inputs[1])
        {
            Square(walk, node);
            return;
        }

        for (var i = 0; i < 2; i++)
        {
            var (x, other) = (node.Inputs[i]!, node.Inputs[1 - i]!);
            if (x.Constant is not null || ConstantReader.IsOnePerRow(x))
            {
                continue;
            }

            if (ConstantReader.IsOnePerRow(other))
            {
                walk.Rotate(x);
                walk.Rotate(node.Outputs[0], walk.GammaOf(x));
                return;
            }

            if (other.Constant is { } tensor && tensor.Count == walk.Width && tensor.Sizes[^1] == walk.Width && walk.IsRotated(x) && walk.GammaOf(x) is null)
            {
                walk.Rotate(node.Outputs[0], new(node, 1 - i));
                return;
            }
        }

        walk.Fail($"{node.DisplayName} multiplies the stream with what differs between its channels");
    }

    private static void Quotient(StreamWalk walk, Node node)
    {
        if (!walk.IsRotated(node.Inputs[1]) && ConstantReader.IsOnePerRow(node.Inputs[1]!))
        {
            walk.Rotate(node.Inputs[0]);
            walk.Rotate(node.Outputs[0]);
        }
        else
        {
            walk.Fail($"{node.DisplayName} divides the stream by what differs between its channels");
        }
    }

    private static void Square(StreamWalk walk, Node node)
    {
        var x = node.Inputs[0]!;
        if (walk.IsRotated(node.Outputs[0]) || node.Outputs[0].IsGraphOutput || x.Shape is not { } shape || walk.GammaOf(x) is not null
            || node.Outputs[0].Uses.Any(u => u.Node is not { Domain: "", OpType: "ReduceMean" or "ReduceSum" } || !ConstantReader.ReducesLast(u.Node, shape.Rank)))
        {
            walk.Fail($"the squares of {node.DisplayName} are not only summed over the channels");
        }
    }
}
