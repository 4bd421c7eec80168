using System.ComponentModel;
using Build.ML.Calibration;
using Build.ML.Calibration.LinearAlgebra;
using Build.ML.Graph.Coupling;

namespace Build.ML.Pruning.Structured.Importances;

/// <summary>
/// The sum of the Euclidean distances to all other positions' weights (He et al. 2019, "Filter Pruning via Geometric Median", arXiv 1811.00250, eq. 6), over its mean in the layer: a position
/// near the geometric median can be made up for by the others, however large it is. Where several layers make a position, the mean.
/// </summary>
[Importance("fpgm")]
[Description("Distance of a channel's weights to those of all others: channels near the geometric median go.")]
public sealed record FpgmImportance : Importance
{
    /// <inheritdoc/>
    public override IReadOnlyList<float[]> Score(ImportanceContext context)
    {
        var scores = new float[context.Axes.Count][];
        for (var a = 0; a < scores.Length; a++)
        {
            context.Step.Cancellation.ThrowIfCancellationRequested();
            var places = WeightNorms.WeightsOf(context.Axes[a]);
            var total = new double[context.Axes[a].Size];
            foreach (var place in places)
            {
                WeightNorms.AddRatios(SumsOfDistances(place, total.Length, context.Step.Threads), static d => d, total);
            }

            scores[a] = Array.ConvertAll(total, t => (float)(t / Math.Max(places.Length, 1)));
        }

        return scores;
    }

    // ‖wᵢ − wⱼ‖² = wᵢ·wᵢ + wⱼ·wⱼ − 2·wᵢ·wⱼ, all products at once.
    private static double[] SumsOfDistances(AxisPlace place, int size, int threads)
    {
        using var rows = Rows(place, size);
        using var products = new FloatMatrix(size, size);
        MatrixProduct.AddGram(products.View, rows.View.Transposed, 1, threads);
        Symmetric.Complete(products.View, 1, threads);
        var sums = new double[size];
        for (var i = 0; i < size; i++)
        {
            for (var j = 0; j < size; j++)
            {
                sums[i] += Math.Sqrt(Math.Max(0d, (double)products[i, i] + products[j, j] - 2d * products[i, j]));
            }
        }

        return sums;
    }

    // One row a position: all weights that belong to it.
    private static FloatMatrix Rows(AxisPlace place, int size)
    {
        using var view = FloatView.Of(place.Constant.Constant!);
        var values = view.Span;
        var positions = place.ToAxisPositions();
        var inner = 1;
        foreach (var following in place.Constant.Constant!.Sizes.AsSpan()[(place.Dimension + 1)..])
        {
            inner = checked(inner * (int)following);
        }

        var filled = new int[size];
        var rows = new FloatMatrix(size, Math.Max(1, values.Length / positions.Length * positions.Count(p => p >= 0) / size));
        for (int start = 0, along = 0; start < values.Length; start += inner, along = along + 1 == positions.Length ? 0 : along + 1)
        {
            if (positions[along] is var position and >= 0)
            {
                values.Slice(start, inner).CopyTo(rows.Row(position)[filled[position]..]);
                filled[position] += inner;
            }
        }

        return rows;
    }
}
