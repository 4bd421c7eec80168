using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Numerics.Tensors;
using Build.ML.Abstractions.Inference;
using Build.ML.Calibration;
using Build.ML.Graph.Coupling;
using Build.ML.Training;

namespace Build.ML.Pruning.Structured.Importances;

/// <summary>
/// The squared change of the loss, to first order, that removing a position makes: (Σ g·w)² over the weights that read it, the mean over batches (Molchanov et al. 2019, "Importance
/// Estimation for Neural Network Pruning", arXiv 1906.10771, eq. 8). Σ g·w over a weight's slice is the loss's derivative by a gate on what the layer reads there, so that one sum holds for
/// residual streams, branches and gated layers. As it is: all layers are compared by it.
/// </summary>
[Importance("taylor")]
[Description("Squared first-order change of the loss when a channel goes, from gradients over data.")]
public sealed record TaylorImportance : Importance
{
    /// <summary>What the change is of. Default <c>cross_entropy</c>; <c>pseudo_label</c> needs no labels.</summary>
    public Loss Loss { get; init; } = new CrossEntropy();

    /// <summary>Samples in a batch, whose changes may cancel out; 1 or more. Default 8.</summary>
    [Range(1, 1 << 16)]
    public int BatchSize { get; init; } = Batching.Default;

    /// <inheritdoc/>
    public override IReadOnlyList<float[]> Score(ImportanceContext context)
    {
        var data = context.RequiredData("taylor");
        var places = context.Axes.Select(PlacesOf).ToArray();
        var wanted = places.SelectMany(p => p).Select(p => p.Constant.Name).ToHashSet(StringComparer.Ordinal);
        var weights = new Dictionary<string, float[]>(StringComparer.Ordinal);
        foreach (var place in places.SelectMany(p => p))
        {
            weights.TryAdd(place.Constant.Name, place.Constant.Constant!.ToArray<float>());
        }

        var slices = places.Select(p => p.Select(place => (place.Constant.Name, new PositionSlices(place))).ToArray()).ToArray();
        var totals = context.Axes.Select(a => new double[a.Size]).ToArray();
        using var copy = context.Model.Clone();
        var batches = new LossGradients(context.Step).Observe(
            copy, data, [Loss], v => wanted.Contains(v.Name), BatchSize, gradients => AddBatch(slices, weights, gradients, totals));
        return [.. totals.Select(t => Array.ConvertAll(t, x => (float)(x / batches)))];
    }

    private static void AddBatch(
        (string Name, PositionSlices Slices)[][] axes, Dictionary<string, float[]> weights, IReadOnlyDictionary<string, TensorBuffer> gradients, double[][] totals)
    {
        for (var a = 0; a < axes.Length; a++)
        {
            var changes = new double[totals[a].Length];
            foreach (var (name, slices) in axes[a])
            {
                if (gradients.TryGetValue(name, out var gradient)) // none: the loss does not depend on it
                {
                    var products = new float[weights[name].Length];
                    TensorPrimitives.Multiply(gradient.Span<float>(), weights[name], products);
                    slices.Add(products, 0, changes);
                }
            }

            for (var i = 0; i < changes.Length; i++)
            {
                totals[a][i] += changes[i] * changes[i];
            }
        }
    }

    // Removing what reads a position or what makes it is the same; the readers have no biases.
    private static AxisPlace[] PlacesOf(ChannelAxis axis)
    {
        var floats = axis.Places.Where(p => p.Constant.ElementType == Graph.DataType.Float && !TrainableWeights.IsStatistic(p.Constant)).DistinctBy(p => (p.Constant, p.Dimension)).ToArray();
        var readers = floats.Where(p => p.Role == AxisRole.Input).ToArray();
        return readers.Length > 0 ? readers : floats;
    }
}
