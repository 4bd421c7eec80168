using Build.ML.Abstractions.Architectures;
using Build.ML.Abstractions.Components;
using Build.ML.Abstractions.Inference;
using Build.ML.Graph;
using Build.ML.Graph.Tensors;
using Build.ML.OnnxRuntime;

namespace Build.ML.Architectures.Tests;

/// <summary>What tests ask of a network.</summary>
static class Networks
{
    static readonly OnnxRuntimeInference Runtime = new();

    /// <summary>All architectures of the plugin, by name.</summary>
    internal static IReadOnlyDictionary<string, Type> All { get; } =
        ComponentCatalogs.Scan(typeof(Images.LeNet).Assembly).Of(typeof(Architecture))!.ToDictionary(e => e.Name, e => e.Type);

    /// <summary>Trainable parameters as papers count them: all weights but the running statistics of batch normalization.</summary>
    internal static long Parameters(Model model) => model.Graph.Initializers
        .Where(i => !i.Name.EndsWith(".running_mean", StringComparison.Ordinal) && !i.Name.EndsWith(".running_var", StringComparison.Ordinal))
        .Sum(i => i.Initializer!.Count);

    /// <summary>Runs a network on a batch of two samples; noise for images, tokens that differ for texts.</summary>
    internal static float[] Run(Model model, int batch = 2)
    {
        using var session = Runtime.Open(model, new InferenceOptions());
        return session.Run([.. session.Inputs.Select(i => KeyValuePair.Create(i.Key, Feed(i.Key, (TensorType)i.Value, batch)))])[0].ToArray<float>();
    }

    internal static Tensor Feed(string name, TensorType type, int batch)
    {
        long[] sizes = [batch, .. type.Shape!.Dimensions.Skip(1).Select(d => d.Size!.Value)];
        var count = (int)sizes.Aggregate((a, b) => a * b);
        return type.ElementType == DataType.Float
            ? Tensor.Of([.. Enumerable.Range(0, count).Select(i => MathF.Sin((i * 0.37f) + (i / 7)))], sizes)
            : Tensor.Of([.. Enumerable.Range(0, count).Select(i => name == "attention_mask" ? 1L : ((i * 7) + (i / 5)) % 11)], sizes);
    }

    internal static byte[] Bytes(Architecture architecture, long seed)
    {
        using var model = architecture.Build(seed);
        return model.ToBytes();
    }
}
