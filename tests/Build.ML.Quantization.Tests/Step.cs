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
