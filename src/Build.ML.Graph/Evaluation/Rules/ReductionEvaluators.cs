using System.Numerics;
using Build.ML.Graph.Tensors;

namespace Build.ML.Graph.Evaluation.Rules;

/// <summary>Reductions of integers, and the float ones that do not depend on the order of summation.</summary>
[Evaluators]
sealed class ReductionEvaluators : EvaluatorTable
{
    public ReductionEvaluators()
    {
        Rule("ReduceProd", c => c[0].Type switch
        {
            DataType.Int64 => Reduce(c, 1L, static (a, b) => a * b),
            DataType.Int32 => Reduce(c, 1, static (a, b) => a * b),
            _ => null,
        });
        Rule("ReduceSum", c => c[0].Type switch
        {
            DataType.Int64 => Reduce(c, 0L, static (a, b) => a + b),
            DataType.Int32 => Reduce(c, 0, static (a, b) => a + b),
            _ => null,
        });
        Rule("ReduceMax", c => Extreme(c, largest: true));
        Rule("ReduceMin", c => Extreme(c, largest: false));
    }

    private static Tensor? Extreme(EvaluationContext c, bool largest) => c[0].Count == 0 ? null : c[0].Type switch
    {
        DataType.Float => Pick(c, largest ? float.NegativeInfinity : float.PositiveInfinity, largest),
        DataType.Int64 => Pick(c, largest ? long.MinValue : long.MaxValue, largest),
        DataType.Int32 => Pick(c, largest ? int.MinValue : int.MaxValue, largest),
        _ => null,
    };

    private static Tensor? Pick<T>(EvaluationContext c, T start, bool largest)
        where T : unmanaged, INumber<T> => Reduce(c, start, largest ? T.Max : T.Min);

    private static Tensor? Reduce<T>(EvaluationContext c, T start, Func<T, T, T> combine)
        where T : unmanaged
    {
        var x = c[0];
        var axes = c.Integers("axes", 1);
        if (axes is null or [] && c.Node.Int("noop_with_empty_axes", 0) != 0)
        {
            return x;
        }

        var mask = EvaluationContext.AxisMask(axes is [] ? null : axes, x.Rank);
        var sizes = x.Sizes.Select((s, i) => mask[i] ? 1 : s).ToArray();
        var steps = Broadcasting.Steps(sizes, x.Sizes.AsSpan());
        var result = new T[checked((int)Elements.Count(sizes))];
        Array.Fill(result, start);
        using var view = x.Read<T>();
        var index = new long[x.Rank];
        for (var i = 0; i < view.Span.Length; i++)
        {
            long at = 0;
            for (var d = 0; d < index.Length; d++)
            {
                at += index[d] * steps[d];
            }

            result[at] = combine(result[at], view.Span[i]);
            Elements.Next(index, x.Sizes.AsSpan());
        }

        return new Tensor(x.Type, c.Node.Int("keepdims", 1) != 0 ? sizes : [.. sizes.Where((_, i) => !mask[i])], Tensor.Of(result, result.Length).Content);
    }
}
