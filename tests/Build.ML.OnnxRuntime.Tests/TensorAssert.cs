using Build.ML.Graph;
using Build.ML.Graph.Tensors;

namespace Build.ML.OnnxRuntime.Tests;

static class TensorAssert
{
    /// <summary>
    /// Same type and sizes; integers, bool and strings equal; floats with |a − e| ≤ absolute·max(1, largest |e|) + relative·|e|, NaN equal to NaN.
    /// </summary>
    public static void Close(Tensor expected, Tensor actual, double relative, double absoluteOfLargest, string what)
    {
        Assert.True(expected.Type == actual.Type, $"{what}: expected {expected}, got {actual}");
        Assert.True(expected.Sizes.SequenceEqual(actual.Sizes), $"{what}: expected {expected}, got {actual}");
        if (expected.Type == DataType.String)
        {
            Assert.Equal(expected.Strings.AsEnumerable(), actual.Strings);
            return;
        }

        if (!expected.Type.IsFloat())
        {
            Assert.True(expected.ToArray<byte>().AsSpan().SequenceEqual(actual.ToArray<byte>()), $"{what}: {expected} values differ");
            return;
        }

        var (e, a) = (ToDoubles(expected), ToDoubles(actual));
        var absolute = absoluteOfLargest * Math.Max(1, e.Where(double.IsFinite).Select(Math.Abs).DefaultIfEmpty().Max());
        for (var i = 0; i < e.Length; i++)
        {
            var close = e[i].Equals(a[i]) || Math.Abs(e[i] - a[i]) <= absolute + (relative * Math.Abs(e[i]));
            Assert.True(close, $"{what}[{i}]: expected {e[i]:R}, got {a[i]:R}");
        }
    }

    public static double[] ToDoubles(Tensor tensor) => tensor.Type switch
    {
        DataType.Float => [.. tensor.ToArray<float>()],
        DataType.Double => tensor.ToArray<double>(),
        DataType.Float16 => [.. tensor.ToArray<Half>().Select(h => (double)h)],
        DataType.BFloat16 => [.. tensor.ToArray<ushort>().Select(b => (double)BitConverter.Int32BitsToSingle(b << 16))],
        _ => throw new NotSupportedException(tensor.Type.ToString()),
    };
}
