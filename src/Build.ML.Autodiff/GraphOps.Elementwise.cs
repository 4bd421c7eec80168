using Build.ML.Graph;
using Build.ML.Graph.Ir;

namespace Build.ML.Autodiff;

/// <content>Arithmetic, element by element, broadcasting as ONNX does. A number beside a value has the value's type.</content>
public sealed partial class GraphOps
{
    /// <summary>a + b.</summary>
    public Value Add(Value a, Value b) => Node("Add", [a, b]);

    /// <summary>a + b.</summary>
    public Value Add(Value a, double b) => b == 0 ? a : Add(a, Scalar(b, a.ElementType));

    /// <summary>a − b.</summary>
    public Value Sub(Value a, Value b) => Node("Sub", [a, b]);

    /// <summary>a − b.</summary>
    public Value Sub(Value a, double b) => b == 0 ? a : Sub(a, Scalar(b, a.ElementType));

    /// <summary>a − b.</summary>
    public Value Sub(double a, Value b) => Sub(Scalar(a, b.ElementType), b);

    /// <summary>a · b.</summary>
    public Value Mul(Value a, Value b) => IsOne(a) ? b : IsOne(b) ? a : Node("Mul", [a, b]);

    /// <summary>a · b.</summary>
    public Value Mul(Value a, double b) => b == 1 ? a : b == -1 ? Neg(a) : Node("Mul", [a, Scalar(b, a.ElementType)]);

    /// <summary>a / b.</summary>
    public Value Div(Value a, Value b) => Node("Div", [a, b]);

    /// <summary>a / b.</summary>
    public Value Div(Value a, double b) => b == 1 ? a : Mul(a, 1 / b);

    /// <summary>a / b.</summary>
    public Value Div(double a, Value b) => a == 1 ? Node("Reciprocal", [b]) : Div(Scalar(a, b.ElementType), b);

    /// <summary>a to the power of b.</summary>
    public Value Pow(Value a, Value b) => Node("Pow", [a, b]);

    /// <summary>a to the power of b.</summary>
    public Value Pow(Value a, double b) => b == 1 ? a : b == 2 ? Square(a) : Pow(a, Scalar(b, a.ElementType));

    /// <summary>a².</summary>
    public Value Square(Value a) => Node("Mul", [a, a]);

    /// <summary>−a.</summary>
    public Value Neg(Value a) => Node("Neg", [a]);

    /// <summary>An operator of one input that keeps sizes and type: Exp, Log, Sqrt, Tanh, Erf, Abs, Sign, Sigmoid, …</summary>
    public Value Unary(string opType, Value a) => Node(opType, [a]);

    /// <summary>e to the power of a.</summary>
    public Value Exp(Value a) => Node("Exp", [a]);

    /// <summary>Natural logarithm.</summary>
    public Value Log(Value a) => Node("Log", [a]);

    /// <summary>Square root.</summary>
    public Value Sqrt(Value a) => Node("Sqrt", [a]);

    /// <summary>Hyperbolic tangent.</summary>
    public Value Tanh(Value a) => Node("Tanh", [a]);

    /// <summary>1 / (1 + e^−a).</summary>
    public Value Sigmoid(Value a) => Node("Sigmoid", [a]);

    /// <summary>−1, 0 or 1.</summary>
    public Value Sign(Value a) => Node("Sign", [a]);

    /// <summary>Magnitude.</summary>
    public Value Abs(Value a) => Node("Abs", [a]);

    /// <summary>The larger of a and b.</summary>
    public Value Max(Value a, Value b) => Node("Max", [a, b]);

    /// <summary>The smaller of a and b.</summary>
    public Value Min(Value a, Value b) => Node("Min", [a, b]);

    /// <summary>a between two numbers.</summary>
    public Value Clip(Value a, double low, double high) => Node("Clip", [a, Scalar(low, a.ElementType), Scalar(high, a.ElementType)]);

    /// <summary>1 where a is above 0, else 0, for a that is finite: Clip(a·3e38, 0, 1), the fastest form of it (Where and Sign take longer).</summary>
    public Value Positive(Value a) => Clip(Mul(a, 3e38), 0, 1);

    /// <summary>a where the condition holds, else b.</summary>
    public Value Where(Value condition, Value a, Value b) => Node("Where", [condition, a, b]);

    /// <summary>A comparison or logical operator: Greater, Less, Equal, And, Or, …</summary>
    public Value Compare(string opType, Value a, Value b) => Node(opType, [a, b]);

    /// <summary>a where the condition holds, else 0: a product with the condition as a number, which is faster than Where. For a that is finite.</summary>
    /// <param name="condition">A boolean.</param>
    /// <param name="a">Kept where it holds.</param>
    public Value Keep(Value condition, Value a)
    {
        ArgumentNullException.ThrowIfNull(a);
        return Mul(a, Cast(condition, a.ElementType));
    }

    /// <summary>To another element type.</summary>
    public Value Cast(Value a, DataType to) => a.ElementType == to ? a : Node("Cast", [a], NodeAttribute.Int("to", (long)to));

    /// <summary>The sum of values of equal sizes.</summary>
    public Value Sum(params ReadOnlySpan<Value> values) => values.Length switch
    {
        1 => values[0],
        2 => Add(values[0], values[1]),
        _ => Node("Sum", values.ToArray()),
    };

    private bool IsOne(Value value) => (_scalars.TryGetValue((DataType.Float, 1), out var one) && one == value)
        || (_scalars.TryGetValue((DataType.Double, 1), out one) && one == value);
}
