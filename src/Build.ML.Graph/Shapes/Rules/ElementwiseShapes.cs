namespace Build.ML.Graph.Shapes.Rules;

/// <summary>Operators that map each element of their first input: same type, same shape.</summary>
[ShapeRules]
sealed class ElementwiseShapes : ShapeRuleTable
{
    public ElementwiseShapes()
    {
        Rule(
            [
                "Abs", "Ceil", "Floor", "Round", "Sqrt", "Reciprocal", "Exp", "Log", "Erf", "Sign", "Not", "BitwiseNot", "Sin", "Cos", "Tan", "Asin",
                "Acos", "Atan", "Sinh", "Cosh", "Tanh", "Asinh", "Acosh", "Atanh", "Sigmoid", "Relu", "LeakyRelu", "Elu", "Selu", "Celu", "Gelu",
                "HardSigmoid", "HardSwish", "Swish", "Mish", "Softplus", "Softsign", "ThresholdedRelu", "Shrink", "Clip", "Softmax", "LogSoftmax", "Hardmax",
                "LRN", "MeanVarianceNormalization", "InstanceNormalization", "GroupNormalization", "LpNormalization", "CumSum", "CumProd", "Trilu",
                "ReverseSequence", "PRelu", "Affine", "ParametricSoftplus", "ScaledTanh", "Scale", "Scatter", "ScatterElements", "ScatterND", "TensorScatter",
            ],
            First);
        Rule(
            ["Gelu", "FastGelu", "QuickGelu", "BiasGelu", "Trilu", "Inverse", "GroupNorm", "QLinearSigmoid", "QLinearLeakyRelu", "QLinearSoftmax", "RotaryEmbedding"],
            First, Microsoft);
        Rule("Neg", c =>
        {
            First(c);
            if (c.DataOf(0) is { IsDefault: false } data)
            {
                c.SetData(0, [.. data.Select(d => 0 - d)]);
            }
        });
        Rule("Identity", c =>
        {
            c.Set(0, c.TypeOf(0));
            c.SetData(0, c.DataOf(0));
        });
        Rule(["IsNaN", "IsInf"], c => c.Set(0, DataType.Bool, c.ShapeOf(0)));
        Rule("IsAllFinite", c => c.Set(0, DataType.Bool, new Shape()), Microsoft);
        Rule("Dropout", Dropout);
        Rule(["BitmaskDropout", "BiasDropout"], Dropout, Microsoft);
        Rule("Cast", c =>
        {
            c.Set(0, c.Element("to", DataType.Undefined), c.ShapeOf(0));
            KeepDataOfInteger(c, c.Element("to", DataType.Undefined));
        });
        Rule("CastLike", c =>
        {
            c.Set(0, c.ElementOf(1), c.ShapeOf(0));
            KeepDataOfInteger(c, c.ElementOf(1));
        });
        Rule("BitCast", c => c.Set(0, c.Element("to", DataType.Undefined), c.ShapeOf(0)));
        Rule(["Bernoulli", "RandomNormalLike", "RandomUniformLike", "EyeLike"], c => c.Set(0, c.Element("dtype", c.ElementOf(0)), c.ShapeOf(0)));
    }

    private static void First(ShapeContext c) => c.Set(0, c.ElementOf(0), c.ShapeOf(0));

    private static void Dropout(ShapeContext c)
    {
        First(c);
        c.Set(1, c.Opset is > 0 and < 10 && c.Node.Domain.Length == 0 ? c.ElementOf(0) : DataType.Bool, c.ShapeOf(0)); // the mask is bool from version 10
    }

    private static void KeepDataOfInteger(ShapeContext c, DataType to)
    {
        if (to is DataType.Int64 or DataType.Int32 && c.ElementOf(0) is DataType.Int64 or DataType.Int32 or DataType.Bool)
        {
            c.SetData(0, c.DataOf(0));
        }
    }
}
