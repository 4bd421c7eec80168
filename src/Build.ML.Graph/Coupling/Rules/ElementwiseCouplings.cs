namespace Build.ML.Graph.Coupling.Rules;

/// <summary>Operators that map each element on its own, with one input or several that broadcast.</summary>
[CouplingRules]
sealed class ElementwiseCouplings : CouplingRuleTable
{
    public ElementwiseCouplings()
    {
        Rule(
            [
                "Abs", "Ceil", "Floor", "Round", "Sqrt", "Reciprocal", "Exp", "Log", "Erf", "Sign", "Not", "BitwiseNot", "Sin", "Cos", "Tan", "Asin",
                "Acos", "Atan", "Sinh", "Cosh", "Tanh", "Asinh", "Acosh", "Atanh", "Sigmoid", "Relu", "LeakyRelu", "Elu", "Selu", "Celu", "Gelu", "Neg",
                "HardSigmoid", "HardSwish", "Swish", "Mish", "Softplus", "Softsign", "ThresholdedRelu", "Shrink", "Clip", "Identity", "IsNaN", "IsInf",
                "Cast", "Affine", "ParametricSoftplus", "ScaledTanh",
            ],
            Map);
        Rule("CastLike", c =>
        {
            c.Pass();
            c.Layouts(1); // its type only
        });
        Rule(["Gelu", "FastGelu", "QuickGelu", "BiasGelu"], Map, Microsoft);
        Rule("Dropout", c =>
        {
            c.Pass();
            c.Set(1, c.Layouts(0));
        });
        Rule(
            [
                "Add", "Sub", "Mul", "Div", "Pow", "Mod", "Max", "Min", "Sum", "Mean", "Where", "Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual",
                "And", "Or", "Xor", "BitShift", "BitwiseAnd", "BitwiseOr", "BitwiseXor", "PRelu",
            ],
            Join);
    }

    /// <summary>One element to one; a second input is a bias along the last dimensions, or a bound.</summary>
    private static void Map(CouplingContext c)
    {
        c.Pass();
        if (c.Node.Domain.Length > 0 && c.HasInput(1))
        {
            c.Align(1, c.Layouts(0));
        }
    }

    private static void Join(CouplingContext c)
    {
        if (c.Opset < 7 && c.Node.Int("broadcast", 0) != 0 && c.Node.Attribute("axis") is not null)
        {
            JoinAt(c, (int)c.Node.Int("axis", 0));
            return;
        }

        var inputs = new IReadOnlyList<DimensionLayout>[c.InputCount];
        var activations = 0;
        for (var i = 0; i < inputs.Length; i++)
        {
            inputs[i] = c.Layouts(i);
            c.Parameters(i);
            activations += c.IsConstant(i) ? 0 : 1;
        }

        var result = c.Broadcast(inputs);
        if (activations > 1 && c.Node.OpType is "Add" or "Sum")
        {
            for (var i = 0; i < result.Length; i++)
            {
                MarkResidual(c, inputs, result, i);
            }
        }

        c.Set(0, result);
    }

    /// <summary>Before version 7 the second input's dimensions lay from an axis of the first.</summary>
    private static void JoinAt(CouplingContext c, int axis)
    {
        var (x, y) = (c.Layouts(0), c.Layouts(1));
        axis = axis < 0 ? axis + x.Count : axis;
        for (var i = 0; i < y.Count; i++)
        {
            if (y[i].Size != 1)
            {
                c.Unify(x[axis + i], y[i]);
            }
        }

        c.Parameters(1);
        c.Set(0, x);
    }

    /// <summary>A sum of two activations along a dimension both have: a skip connection.</summary>
    private static void MarkResidual(CouplingContext c, IReadOnlyList<DimensionLayout>[] inputs, DimensionLayout[] result, int dimension)
    {
        var count = 0;
        for (var i = 0; i < inputs.Length; i++)
        {
            var at = dimension - result.Length + inputs[i].Count;
            count += at >= 0 && inputs[i][at].Size != 1 && !c.IsConstant(i) ? 1 : 0;
        }

        if (count > 1)
        {
            c.Mark(result[dimension], AxisMark.Hidden);
        }
    }
}
