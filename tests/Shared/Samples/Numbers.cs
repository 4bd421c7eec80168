using System.Runtime.InteropServices;
using Build.ML.Graph.Tensors;

namespace Build.ML.TestSupport;

/// <summary>Numbers made from a seed.</summary>
static class Numbers
{
    /// <summary>Normally distributed (Box and Muller).</summary>
    public static float[] Normal(int seed, long count, double deviation)
    {
        var random = new Random(seed);
        var values = new float[count];
        for (var i = 0; i < values.Length; i++)
        {
            values[i] = (float)(deviation * Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble()));
        }

        return values;
    }

    /// <summary>The same as bytes of Float16.</summary>
    public static byte[] Halves(int seed, long count, double deviation) =>
        MemoryMarshal.AsBytes<Half>(Array.ConvertAll(Normal(seed, count, deviation), v => (Half)v)).ToArray();

    public static Tensor Tensor(int seed, double deviation, params long[] sizes) =>
        Graph.Tensors.Tensor.Of(Normal(seed, sizes.Aggregate(1L, (a, b) => a * b), deviation), sizes);
}
