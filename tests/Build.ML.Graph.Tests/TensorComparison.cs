using Build.ML.Graph.Tensors;

namespace Build.ML.Graph.Tests;

/// <summary>How far two tensors are apart.</summary>
static class TensorComparison
{
    /// <summary>
    /// Null when type and sizes agree and, for float, each element differs by at most <paramref name="tolerance"/>·(1 + |expected|), else by no bit; or
    /// what differs.
    /// </summary>
    public static string? Difference(Tensor expected, Tensor actual, double tolerance = 0)
    {
        if (expected.Type != actual.Type || !expected.Sizes.AsSpan().SequenceEqual(actual.Sizes.AsSpan()))
        {
            return $"{actual} instead of {expected}";
        }

        if (expected.Type == DataType.String)
        {
            return expected.Strings.SequenceEqual(actual.Strings) ? null : "other strings";
        }

        if (expected.Type == DataType.Float)
        {
            var (a, b) = (expected.ToArray<float>(), actual.ToArray<float>());
            for (var i = 0; i < a.Length; i++)
            {
                if (!a[i].Equals(b[i]) && a[i] != b[i] && !(Math.Abs((double)a[i] - b[i]) <= tolerance * (1 + Math.Abs((double)a[i]))))
                {
                    return $"element {i} is {b[i]:r} instead of {a[i]:r}";
                }
            }

            return null;
        }

        return expected.ToArray<byte>().AsSpan().SequenceEqual(actual.ToArray<byte>()) ? null : $"other {expected.Type} elements";
    }
}
