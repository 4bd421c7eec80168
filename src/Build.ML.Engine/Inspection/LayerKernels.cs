using System.Collections.Immutable;
using Build.ML.Abstractions.Inference;
using Build.ML.Abstractions.Techniques;
using Build.ML.Graph;
using Build.ML.Graph.Ir;

namespace Build.ML.Engine.Inspection;

/// <summary>Adds to what a technique says of its layers the kernel that the runtime really runs each with.</summary>
internal static class LayerKernels
{
    /// <summary>The same layers with <see cref="LayerOutcome.Kernel"/> filled in where the result has a node or value of the layer's name.</summary>
    /// <param name="model">What the technique yielded.</param>
    /// <param name="layers">What it said.</param>
    /// <param name="inference">Optimizes the model as for running.</param>
    public static ImmutableArray<LayerOutcome> Name(Model model, ImmutableArray<LayerOutcome> layers, IInference inference)
    {
        if (layers.IsEmpty)
        {
            return layers;
        }

        using var optimized = inference.Optimize(model);
        if (optimized is null)
        {
            return layers;
        }

        var kernels = new KernelMap(optimized);
        var nodes = new Dictionary<string, Node>();
        foreach (var node in model.AllNodes)
        {
            foreach (var output in node.Outputs)
            {
                nodes.TryAdd(output.Name, node);
            }
        }

        foreach (var node in model.AllNodes)
        {
            if (node.Name.Length > 0)
            {
                nodes[node.Name] = node; // goes before a value of that name
            }
        }

        return [.. layers.Select(l => l.Kernel.Length == 0 && nodes.TryGetValue(l.Layer, out var node) ? l with { Kernel = kernels.Of(node) } : l)];
    }
}
