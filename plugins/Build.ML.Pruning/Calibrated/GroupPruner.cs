using Build.ML.Abstractions.Techniques;
using Build.ML.Calibration.Hessians;
using Build.ML.Graph.Tensors;

namespace Build.ML.Pruning.Calibrated;

/// <summary>Prunes layers by what they multiply.</summary>
internal abstract class GroupPruner
{
    /// <summary>Prunes layers that multiply the same inputs.</summary>
    /// <param name="group">The group they are of.</param>
    /// <param name="activations">What they multiply, a tensor a batch; to be read once.</param>
    /// <param name="targets">Layers of the group, and what they are to lose.</param>
    /// <param name="context">Cores, cancellation.</param>
    /// <param name="pruned">Gets each layer; the memory of one is let go of before the next is worked on.</param>
    public abstract void Prune(
        InputGroup group, IEnumerable<Tensor> activations, IReadOnlyList<LayerTarget> targets, StepContext context, Action<NumberedLayer, PrunedLayer> pruned);
}
