using System.Runtime.InteropServices;
using Build.ML.Graph;
using Build.ML.Graph.Tensors;
using Build.ML.Training.Random;

namespace Build.ML.Architectures.Layers;

/// <summary>Weights to begin with, whose numbers depend on the seed and the weight's name only.</summary>
static class InitialWeight
{
    // Weights beyond this are computed when they are read: a network of any size takes the memory of its largest weight.
    private const int EagerBytes = 1 << 16;

    /// <summary>A float weight.</summary>
    /// <param name="random">Of the seed.</param>
    /// <param name="name">The weight's name.</param>
    /// <param name="fill">Its distribution.</param>
    /// <param name="sizes">Its sizes.</param>
    internal static Tensor Of(CounterRandom random, string name, WeightFill fill, params ReadOnlySpan<long> sizes)
    {
        var count = 1L;
        foreach (var size in sizes)
        {
            count = checked(count * size);
        }

        var own = random.Fork(HashOf(name));
        var bytes = count * sizeof(float);
        return bytes > EagerBytes
            ? new Tensor(DataType.Float, sizes, new ComputedContent(bytes, () => Filled(count, fill, own)))
            : Tensor.OfBytes(DataType.Float, Filled(count, fill, own), sizes);
    }

    private static byte[] Filled(long count, WeightFill fill, CounterRandom random)
    {
        var bytes = new byte[count * sizeof(float)];
        fill(MemoryMarshal.Cast<byte, float>(bytes.AsSpan()), random);
        return bytes;
    }

    // FNV-1a (Fowler, Noll, Vo) of 64 bits: the same on every machine and in every process, as string.GetHashCode is not.
    private static long HashOf(string name)
    {
        var hash = 0xCBF29CE484222325UL;
        foreach (var letter in name)
        {
            hash = (hash ^ letter) * 0x100000001B3UL;
        }

        return (long)hash;
    }
}
