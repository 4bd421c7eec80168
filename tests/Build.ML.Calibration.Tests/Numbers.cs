using System.Runtime.InteropServices;
using Build.ML.Abstractions.Data;
using Build.ML.Abstractions.Techniques;
using Build.ML.Graph.Tensors;
using Build.ML.OnnxRuntime;

namespace Build.ML.Calibration.Tests;

/// <summary>Numbers made from a seed.</summary>
static class Numbers
{
    /// <summary>Normally distributed (Box and Muller).</summary>
    public static float[] Normal(int seed, long count, double deviation)
    {
        var random = new Random(seed);
        var values = new float[count];
        for (var i = 0; i < values.Length; i++)
            values[i] = (float)(deviation * Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble()));
        return values;
    }

    public static byte[] Halves(int seed, long count, double deviation) =>
        MemoryMarshal.AsBytes<Half>(Array.ConvertAll(Normal(seed, count, deviation), v => (Half)v)).ToArray();

    public static Tensor Tensor(int seed, double deviation, params long[] sizes) =>
        Graph.Tensors.Tensor.Of(Normal(seed, sizes.Aggregate(1L, (a, b) => a * b), deviation), sizes);
}

/// <summary>Samples made from a seed.</summary>
sealed class NormalData(int count, params long[] sizes) : DataSet
{
    public override int Count => count;

    public override Sample this[int index] => new([new("", Numbers.Tensor(1000 + index, 1, sizes))], Label.None);
}

static class Contexts
{
    public static StepContext Of(DataSet data, string scratch, int threads = 2) => new()
    {
        StepId = "step",
        Data = _ => data,
        Model = _ => throw new InvalidOperationException("No other model."),
        Inference = new OnnxRuntimeInference(),
        Threads = threads,
        ScratchDirectory = scratch,
    };
}
