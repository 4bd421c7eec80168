using Build.ML.Graph.Tensors;

namespace Build.ML.Graph.Evaluation.Rules;

/// <summary>Operators that make tensors, and facts about tensors.</summary>
[Evaluators]
sealed class CreationEvaluators : EvaluatorTable
{
    public CreationEvaluators()
    {
        Rule("ConstantOfShape", c =>
        {
            var value = c.Node.Attribute("value")?.Value as Tensor ?? Tensor.Of([0f], 1);
            var sizes = EvaluationContext.Integers(c[0]);
            return Elements.View(value, sizes, new long[sizes.Length]);
        });
        Rule("Shape", c =>
        {
            var rank = c[0].Rank;
            var start = Clamp(c.Node.Int("start", 0), rank);
            var end = Math.Max(start, Clamp(c.Node.Int("end", rank), rank));
            return Tensor.Of(c[0].Sizes[start..end].ToArray(), end - start);
        });
        Rule("Size", c => Tensor.Scalar(c[0].Count));
        Rule("Range", Range);
    }

    private static int Clamp(long position, int rank) => (int)Math.Clamp(position < 0 ? position + rank : position, 0, rank);

    private static Tensor? Range(EvaluationContext c)
    {
        if (c[0].Type is DataType.Float)
        {
            var (start, limit, delta) = (c[0].ToArray<float>()[0], c[1].ToArray<float>()[0], c[2].ToArray<float>()[0]);
            var count = Length(Math.Ceiling(((double)limit - start) / delta));
            var values = new float[count];
            for (var i = 0; i < count; i++)
            {
                values[i] = start + i * delta;
            }

            return Tensor.Of(values, count);
        }

        if (c[0].Type is not (DataType.Int64 or DataType.Int32))
        {
            return null;
        }

        var (from, to, by) = (EvaluationContext.Integers(c[0])[0], EvaluationContext.Integers(c[1])[0], EvaluationContext.Integers(c[2])[0]);
        var length = Length(Math.Ceiling(((double)to - from) / by));
        return c[0].Type == DataType.Int64
            ? Tensor.Of([.. Enumerable.Range(0, length).Select(i => from + i * by)], length)
            : Tensor.Of([.. Enumerable.Range(0, length).Select(i => (int)(from + i * by))], length);
    }

    private static int Length(double count) =>
        count <= 1 << 24 ? Math.Max(0, (int)count) : throw new ArgumentException($"a Range of {count} elements is not folded");
}
