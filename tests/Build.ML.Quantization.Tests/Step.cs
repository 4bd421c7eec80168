using Build.ML.Abstractions.Data;
using Build.ML.Abstractions.References;
using Build.ML.Abstractions.Techniques;
using Build.ML.Graph;
using Build.ML.Graph.Tensors;
using Build.ML.OnnxRuntime;

namespace Build.ML.Quantization.Tests;

/// <summary>Applies techniques and runs models.</summary>
static class Step
{
    public static StepContext Context(DataSet? data = null, int threads = 2) => new()
    {
        StepId = "int8",
        Data = _ => data ?? throw new InvalidOperationException("The technique asked for data that the test does not give."),
        Model = _ => throw new InvalidOperationException("No other model."),
        Inference = new OnnxRuntimeInference(),
        Threads = threads,
        ScratchDirectory = Path.GetTempPath(),
    };

    public static DataReference Data => new("calibration");

    public static float[] Run(Model model, Tensor input)
    {
        using var session = new OnnxRuntimeInference().Open(model);
        return session.Run([new("", input)])[0].ToArray<float>();
    }

    /// <summary>10·log10(Σa²/Σ(a−b)²).</summary>
    public static double Sqnr(ReadOnlySpan<float> expected, ReadOnlySpan<float> actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        double signal = 0, noise = 0;
        for (var i = 0; i < expected.Length; i++)
        {
            signal += (double)expected[i] * expected[i];
            noise += Math.Pow((double)expected[i] - actual[i], 2);
        }

        return 10 * Math.Log10(signal / noise);
    }
}

/// <summary>Samples made from a seed.</summary>
sealed class NormalData(int count, params long[] sizes) : DataSet
{
    public override int Count => count;

    public override Sample this[int index] => new([new("", Numbers.Tensor(1000 + index, 1, sizes))], Label.None);
}

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

    public static Tensor Tensor(int seed, double deviation, params long[] sizes) =>
        Graph.Tensors.Tensor.Of(Normal(seed, sizes.Aggregate(1L, (a, b) => a * b), deviation), sizes);
}
