using Build.ML.Autodiff;
using Build.ML.Graph;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace Build.ML.Quantization.QuantizationAware;

/// <summary>
/// A step size s in a trainable model, as s = s₀·clip(t, 1/16, limit): t is what is trained and starts at 1. So a step of the optimizer changes the size by a share of itself, whatever
/// unit the layer computes in, which the paper's gradient scale 1/√(N·Qₚ) is for (Esser et al. 2020, §2.2; Adam and its like cancel any such scale, not the unit). t is a vector, which
/// no weight decay takes hold of.
/// </summary>
/// <param name="Name">Initializer with t; empty where the step size is not trained.</param>
/// <param name="Start">s₀, one a channel.</param>
/// <param name="Limit">Greatest t.</param>
internal sealed record StepSize(string Name, float[] Start, float Limit)
{
    /// <summary>Least t; no step size comes to 0, where the inverse would not be finite.</summary>
    public const float Least = 1f / 16;

    /// <summary>Greatest t where nothing else bounds it.</summary>
    public const float Greatest = 16;

    /// <summary>The sizes after training, computed as the graph of <see cref="Write"/> computes them.</summary>
    /// <param name="trained">The model with trained initializers.</param>
    public float[] Read(Model trained)
    {
        if (Name.Length == 0)
        {
            return Start;
        }

        var factors = (trained.Graph.Find(Name)?.Initializer ?? throw new InvalidOperationException($"The trained model has no step size '{Name}'.")).ToArray<float>();
        TensorPrimitives.Max(factors, Least, factors);
        TensorPrimitives.Min(factors, Limit, factors);
        TensorPrimitives.Multiply(factors, Start, factors);
        return factors;
    }

    /// <summary>Writes the sizes into a graph: a vector.</summary>
    /// <param name="graph">Gets nodes and initializers.</param>
    /// <param name="name">Prefix of names.</param>
    /// <param name="before">Where.</param>
    public Value Write(OnnxGraph graph, string name, Node? before)
    {
        if (Name.Length == 0)
        {
            return graph.AddInitializer(graph.UniqueName(name), Tensor.Of(Start, Start.Length));
        }

        var factor = graph.AddInitializer(Name, Tensor.Of(Enumerable.Repeat(1f, Start.Length).ToArray(), Start.Length));
        var least = graph.AddInitializer(graph.UniqueName(name + "_least"), Tensor.Scalar(Least));
        var limit = graph.AddInitializer(graph.UniqueName(name + "_limit"), Tensor.Scalar(Limit));
        var clipped = graph.Add("Clip", [factor, least, limit], graph.UniqueName(name + "_clipped"), before: before);

        // Gradients pass the clip, so that a factor that overshot comes back.
        clipped.Producer!.PassStraightThrough();
        var start = graph.AddInitializer(graph.UniqueName(name + "_start"), Tensor.Of(Start, Start.Length));
        return graph.Add("Mul", [clipped, start], graph.UniqueName(name), before: before);
    }
}
