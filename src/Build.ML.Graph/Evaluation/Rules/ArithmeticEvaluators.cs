using System.Numerics;
using Build.ML.Graph.Tensors;

namespace Build.ML.Graph.Evaluation.Rules;

/// <summary>Element-wise arithmetic, comparison and logic. Only functions that IEEE 754 rounds exactly are computed in float, so that folding changes no bits.</summary>
[Evaluators]
sealed class ArithmeticEvaluators : EvaluatorTable
{
    public ArithmeticEvaluators()
    {
        Rule("Add", c => Binary(c, new Sum()));
        Rule("Sub", c => Binary(c, new Difference()));
        Rule("Mul", c => Binary(c, new Product()));
        Rule("Div", c => Binary(c, new Quotient()));
        Rule("Max", c => c.Count == 2 ? Binary(c, new Largest()) : c.Count == 1 ? c[0] : null);
        Rule("Min", c => c.Count == 2 ? Binary(c, new Smallest()) : c.Count == 1 ? c[0] : null);
        Rule("Mod", c => c.Node.Int("fmod", 0) == 0 && c[0].Type is DataType.Int64 or DataType.Int32 ? Binary(c, new Remainder()) : null);
        Rule("Equal", c => Compare(c, new AreEqual()));
        Rule("Less", c => Compare(c, new IsLess()));
        Rule("LessOrEqual", c => Compare(c, new IsLessOrEqual()));
        Rule("Greater", c => Compare(c, new IsGreater()));
        Rule("GreaterOrEqual", c => Compare(c, new IsGreaterOrEqual()));
        Rule("And", c => Broadcasting.Map<bool, bool>(c[0], c[1], static (a, b) => a && b));
        Rule("Or", c => Broadcasting.Map<bool, bool>(c[0], c[1], static (a, b) => a || b));
        Rule("Xor", c => Broadcasting.Map<bool, bool>(c[0], c[1], static (a, b) => a != b));
        Rule("Not", c => Broadcasting.Map<bool, bool>(c[0], static a => !a));
        Rule("Neg", c => Unary(c[0], static v => -v, static v => -v, static v => -v));
        Rule("Abs", c => Unary(c[0], float.Abs, static v => v < 0 ? -v : v, static v => v < 0 ? -v : v));
        Rule("Sqrt", c => Unary(c[0], float.Sqrt, null, null));
        Rule("Reciprocal", c => Unary(c[0], static v => 1 / v, null, null));
        Rule("Floor", c => Unary(c[0], float.Floor, null, null));
        Rule("Ceil", c => Unary(c[0], float.Ceiling, null, null));
        Rule("Round", c => Unary(c[0], static v => float.Round(v, MidpointRounding.ToEven), null, null));
        Rule("Where", Where);
    }

    private interface IBinary
    {
        T Apply<T>(T a, T b)
            where T : INumber<T>;
    }

    private interface IComparison
    {
        bool Apply<T>(T a, T b)
            where T : INumber<T>;
    }

    private static Tensor? Binary<TOperation>(EvaluationContext c, TOperation operation)
        where TOperation : struct, IBinary =>
        c.Opset < 7 && c.Node.Attribute("broadcast") is not null || c[0].Type != c[1].Type ? null : c[0].Type switch
        {
            DataType.Float => Broadcasting.Map<float, float>(c[0], c[1], operation.Apply),
            DataType.Double => Broadcasting.Map<double, double>(c[0], c[1], operation.Apply),
            DataType.Int64 => Broadcasting.Map<long, long>(c[0], c[1], operation.Apply),
            DataType.Int32 => Broadcasting.Map<int, int>(c[0], c[1], operation.Apply),
            _ => null,
        };

    private static Tensor? Compare<TOperation>(EvaluationContext c, TOperation operation)
        where TOperation : struct, IComparison =>
        c.Opset < 7 && c.Node.Attribute("broadcast") is not null || c[0].Type != c[1].Type ? null : c[0].Type switch
        {
            DataType.Float => Broadcasting.Map<float, bool>(c[0], c[1], operation.Apply),
            DataType.Double => Broadcasting.Map<double, bool>(c[0], c[1], operation.Apply),
            DataType.Int64 => Broadcasting.Map<long, bool>(c[0], c[1], operation.Apply),
            DataType.Int32 => Broadcasting.Map<int, bool>(c[0], c[1], operation.Apply),
            DataType.Bool when operation is AreEqual => Broadcasting.Map<bool, bool>(c[0], c[1], static (a, b) => a == b),
            _ => null,
        };

    private static Tensor? Unary(Tensor x, Func<float, float> real, Func<long, long>? int64, Func<int, int>? int32) => x.Type switch
    {
        DataType.Float => Broadcasting.Map(x, real),
        DataType.Int64 when int64 is not null => Broadcasting.Map(x, int64),
        DataType.Int32 when int32 is not null => Broadcasting.Map(x, int32),
        _ => null,
    };

    private static Tensor? Where(EvaluationContext c)
    {
        var sizes = Broadcasting.Sizes(Broadcasting.Sizes(c[0].Sizes.AsSpan(), c[1].Sizes.AsSpan()), c[2].Sizes.AsSpan());
        var width = Elements.Width(c[1].Type);
        if (c[1].Type != c[2].Type || width == 0
            || Elements.View(c[0], sizes, Broadcasting.Steps(c[0].Sizes.AsSpan(), sizes)) is not { } condition
            || Elements.View(c[1], sizes, Broadcasting.Steps(c[1].Sizes.AsSpan(), sizes)) is not { } yes
            || Elements.View(c[2], sizes, Broadcasting.Steps(c[2].Sizes.AsSpan(), sizes)) is not { } no)
        {
            return null;
        }

        var bytes = no.ToArray<byte>();
        using var choose = condition.Read<bool>();
        using var chosen = yes.Read<byte>();
        for (var i = 0; i < choose.Span.Length; i++)
        {
            if (choose.Span[i])
            {
                chosen.Span.Slice(i * width, width).CopyTo(bytes.AsSpan(i * width));
            }
        }

        return Tensor.OfBytes(c[1].Type, bytes, sizes);
    }

    private readonly struct Sum : IBinary
    {
        public T Apply<T>(T a, T b)
            where T : INumber<T> => a + b;
    }

    private readonly struct Difference : IBinary
    {
        public T Apply<T>(T a, T b)
            where T : INumber<T> => a - b;
    }

    private readonly struct Product : IBinary
    {
        public T Apply<T>(T a, T b)
            where T : INumber<T> => a * b;
    }

    private readonly struct Quotient : IBinary
    {
        public T Apply<T>(T a, T b)
            where T : INumber<T> => a / b;
    }

    private readonly struct Largest : IBinary
    {
        public T Apply<T>(T a, T b)
            where T : INumber<T> => T.Max(a, b);
    }

    private readonly struct Smallest : IBinary
    {
        public T Apply<T>(T a, T b)
            where T : INumber<T> => T.Min(a, b);
    }

    /// <summary>The remainder has the divisor's sign.</summary>
    private readonly struct Remainder : IBinary
    {
        public T Apply<T>(T a, T b)
            where T : INumber<T>
        {
            var rest = a % b;
            return rest != T.Zero && T.IsNegative(rest) != T.IsNegative(b) ? rest + b : rest;
        }
    }

    private readonly struct AreEqual : IComparison
    {
        public bool Apply<T>(T a, T b)
            where T : INumber<T> => a == b;
    }

    private readonly struct IsLess : IComparison
    {
        public bool Apply<T>(T a, T b)
            where T : INumber<T> => a < b;
    }

    private readonly struct IsLessOrEqual : IComparison
    {
        public bool Apply<T>(T a, T b)
            where T : INumber<T> => a <= b;
    }

    private readonly struct IsGreater : IComparison
    {
        public bool Apply<T>(T a, T b)
            where T : INumber<T> => a > b;
    }

    private readonly struct IsGreaterOrEqual : IComparison
    {
        public bool Apply<T>(T a, T b)
            where T : INumber<T> => a >= b;
    }
}
