using System.Collections.Immutable;
using Build.ML.Graph;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Passes;
using Build.ML.Graph.Tensors;
using Build.ML.Training.Random;

namespace Build.ML.FineTuning.Lora;

/// <summary>The adapter beside one layer: y + scale·(x·A)·B.</summary>
/// <param name="Layer">The layer.</param>
/// <param name="A">Initializer [inputs, rank].</param>
/// <param name="B">Initializer [rank, outputs].</param>
/// <param name="Sum">What stands for the layer's output now.</param>
internal sealed record LowRankAdapter(AdaptableLayer Layer, Value A, Value B, Value Sum);

/// <summary>
/// Puts adapters beside layers (Hu et al. 2021, section 4.1). A is drawn from a uniform distribution of variance 1/(3·inputs), as linear layers commonly start; B is zero, so that the adapted
/// model starts as the base.
/// </summary>
internal static class LowRankAdapters
{
    /// <summary>Adds the nodes and weights of one adapter for each layer.</summary>
    /// <param name="model">Changed in place.</param>
    /// <param name="layers">Layers of this model.</param>
    /// <param name="options">Rank, factor, dropout.</param>
    /// <param name="seed">Decides A.</param>
    public static ImmutableArray<LowRankAdapter> Insert(Model model, ImmutableArray<AdaptableLayer> layers, AdapterOptions options, long seed)
    {
        var graph = model.Graph;
        var adapters = ImmutableArray.CreateBuilder<LowRankAdapter>(layers.Length);
        var scale = graph.AddInitializer("lora_scale", Tensor.Scalar(options.Scale));
        for (var i = 0; i < layers.Length; i++)
        {
            var layer = layers[i];
            var a = new float[(long)layer.Inputs * options.Rank];
            var bound = 1 / MathF.Sqrt(layer.Inputs);
            new CounterRandom(seed, (uint)i).FillUniform(a, -bound, bound);
            var valueA = graph.AddInitializer(layer.Name + ".lora_a", Tensor.Of(a, layer.Inputs, options.Rank));
            var valueB = graph.AddInitializer(layer.Name + ".lora_b", Tensor.Of(new float[(long)options.Rank * layer.Outputs], options.Rank, layer.Outputs));
            var (next, y) = (layer.Node.Next, layer.Node.Outputs[0]);
            var x = layer.Node.Input(0)!;
            if (options.AdapterDropout > 0)
            {
                var ratio = graph.AddInitializer("lora_dropout", Tensor.Scalar((float)options.AdapterDropout));
                x = graph.Add("Dropout", [x, ratio], layer.Name + ".lora_dropped", before: next);
            }

            var low = graph.Add("MatMul", [x, valueA], layer.Name + ".lora_low", before: next);
            var scaled = graph.Add("Mul", [low, scale], layer.Name + ".lora_scaled", before: next); // here, where it is narrow
            var high = graph.Add("MatMul", [scaled, valueB], layer.Name + ".lora_high", before: next);
            var sum = graph.Add("Add", [high, high], layer.Name + ".lora_sum", before: next);
            graph.Replace(y, sum);
            sum.Producer!.SetInputs(y, high);
            adapters.Add(new(layer, valueA, valueB, sum));
        }

        return adapters.MoveToImmutable();
    }

    /// <summary>Adds an adapter's update to its layer's weight and takes its nodes away.</summary>
    public static void Merge(Model model, LowRankAdapter adapter, float scale)
    {
        var layer = adapter.Layer;
        var merged = layer.Merge(adapter.A.Initializer!.ToArray<float>(), adapter.B.Initializer!.ToArray<float>(), scale);
        model.Graph.SetInitializer(layer.Weight!, merged);
        model.Graph.Replace(adapter.Sum, layer.Node.Outputs[0]);
    }

    /// <summary>Takes away what merged adapters leave behind.</summary>
    public static void RemoveUnused(Model model)
    {
        new RemoveDeadNodes().Run(model);
        new RemoveUnusedInitializers().Run(model);
    }
}
