namespace Build.ML.Graph.Shapes.Rules;

/// <summary>Operators of several inputs that broadcast against each other.</summary>
[ShapeRules]
sealed class BroadcastShapes : ShapeRuleTable
{
    public BroadcastShapes()
    {
        Rule("Add", c => Arithmetic(c, static (a, b) => a + b));
        Rule("Sub", c => Arithmetic(c, static (a, b) => a - b));
        Rule("Mul", c => Arithmetic(c, static (a, b) => a * b));
        // Integer division truncates; for the sizes this is followed for (no negatives) that is rounding down.
        Rule("Div", c => Arithmetic(c, static (a, b) => a.Value is < 0 ? SymbolicInteger.Unknown : a / b));
        Rule("Mod", c => Arithmetic(c, static (a, b) => a.Value is >= 0 && b.Value is > 0 ? a.Value.Value % b.Value.Value : SymbolicInteger.Unknown));
        Rule(["Pow", "BitShift", "BitwiseAnd", "BitwiseOr", "BitwiseXor"], c => c.Set(0, c.ElementOf(0), Shape(c)));
        Rule("Equal", c =>
        {
            c.Set(0, DataType.Bool, Shape(c));
            SetData(c, 0, static (a, b) => a.Value is { } x && b.Value is { } y ? (x == y ? 1 : 0)
                : (a.Value ?? b.Value) is < 0 ? 0 : SymbolicInteger.Unknown); // a dimension is never negative: exporters ask "is it −1?"
        });
        Rule(["And", "Or", "Xor", "Less", "LessOrEqual", "Greater", "GreaterOrEqual"], c => c.Set(0, DataType.Bool, Shape(c)));
        Rule("Max", c => Variadic(c, static (a, b) => a.Value is { } x && b.Value is { } y ? Math.Max(x, y) : SymbolicInteger.Unknown));
        Rule("Min", c => Variadic(c, static (a, b) => a.Value is { } x && b.Value is { } y ? Math.Min(x, y) : SymbolicInteger.Unknown));
        Rule(["Sum", "Mean"], c => c.Set(0, c.ElementOf(0), c.BroadcastInputs(0, c.InputCount)));
        Rule("Where", Where);
        Rule("StringConcat", c => c.Set(0, DataType.String, c.BroadcastInputs(0, 2)));
        Rule(["QLinearAdd", "QLinearMul"], c => c.Set(0, c.ElementOf(0), ShapeFormulas.Broadcast(c.ShapeOf(0), c.ShapeOf(3))), Microsoft);
        Rule("BiasSoftmax", c => c.Set(0, c.ElementOf(0), c.ShapeOf(0)), Microsoft);
        Rule("BiasSplitGelu", c => c.Set(0, c.ElementOf(0), c.ShapeOf(0) is { } s ? s.With(-1, ((SymbolicInteger)s[-1] / 2).ToDimension()) : null), Microsoft);
        Rule("BiasAdd", c => c.Set(0, c.ElementOf(0), c.ShapeOf(0)), Microsoft);
    }

    private static Shape? Shape(ShapeContext c) =>
        c.Opset < 7 && c.Node.Domain.Length == 0 ? c.ShapeOf(0) : c.BroadcastInputs(0, 2); // before version 7 the second input broadcasts to the first

    private static void Arithmetic(ShapeContext c, Func<SymbolicInteger, SymbolicInteger, SymbolicInteger> compute)
    {
        c.Set(0, c.ElementOf(0), Shape(c));
        SetData(c, 0, compute);
    }

    private static void Variadic(ShapeContext c, Func<SymbolicInteger, SymbolicInteger, SymbolicInteger> compute)
    {
        c.Set(0, c.ElementOf(0), c.BroadcastInputs(0, c.InputCount));
        if (c.InputCount == 2)
        {
            SetData(c, 0, compute);
        }
        else if (c.InputCount == 1)
        {
            c.SetData(0, c.DataOf(0));
        }
    }

    private static void Where(ShapeContext c)
    {
        c.Set(0, c.ElementOf(1), c.BroadcastInputs(0, 3));
        if (c.ValuesOf(0) is not { } condition || c.DataOf(1) is not { IsDefault: false } yes || c.DataOf(2) is not { IsDefault: false } no)
        {
            return;
        }

        var length = Math.Max(condition.Length, Math.Max(yes.Length, no.Length));
        if (Fits(condition.Length, length) && Fits(yes.Length, length) && Fits(no.Length, length))
        {
            c.SetData(0, [.. Enumerable.Range(0, length).Select(i => condition[i % condition.Length] != 0 ? yes[i % yes.Length] : no[i % no.Length])]);
        }
    }

    private static void SetData(ShapeContext c, int first, Func<SymbolicInteger, SymbolicInteger, SymbolicInteger> compute)
    {
        var (a, b) = (c.DataOf(first), c.DataOf(first + 1));
        if (a.IsDefault || b.IsDefault)
        {
            return;
        }

        var length = Math.Max(a.Length, b.Length);
        if (Fits(a.Length, length) && Fits(b.Length, length))
        {
            c.SetData(0, [.. Enumerable.Range(0, length).Select(i => compute(a[i % a.Length], b[i % b.Length]))]);
        }
    }

    private static bool Fits(int length, int common) => length == common || length == 1;
}
