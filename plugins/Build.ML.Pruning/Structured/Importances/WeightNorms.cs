using System.Buffers;
using Build.ML.Calibration;
using Build.ML.Graph.Coupling;

namespace Build.ML.Pruning.Structured.Importances;

/// <summary>Norms of the weights that make each position of an axis.</summary>
internal static class WeightNorms
{
    // Numbers mapped at a time.
    private const int PieceLength = 1 << 16;

    /// <summary>Maps each of some numbers to what is added up.</summary>
    public delegate void Mapping(ReadOnlySpan<float> weights, Span<float> mapped);

    /// <summary>
    /// Σ of a function of the weights that make each position, finished by another function and divided by its mean over the positions, so that layers of different sizes and scales can be
    /// compared; the mean of that over all layers that make the axis. Axes that no weight makes, such as the rows of an embedding, are scored by the weights that read them.
    /// </summary>
    /// <param name="context">The axes.</param>
    /// <param name="map">Function of a weight.</param>
    /// <param name="finish">Function of the sum.</param>
    public static float[][] Of(ImportanceContext context, Mapping map, Func<double, double> finish)
    {
        var scores = new float[context.Axes.Count][];
        for (var a = 0; a < scores.Length; a++)
        {
            context.Step.Cancellation.ThrowIfCancellationRequested();
            var places = WeightsOf(context.Axes[a]);
            var total = new double[context.Axes[a].Size];
            foreach (var place in places)
            {
                var sums = new double[total.Length];
                AddSums(place, map, sums);
                AddRatios(sums, finish, total);
            }

            scores[a] = Array.ConvertAll(total, t => (float)(t / Math.Max(places.Length, 1)));
        }

        return scores;
    }

    /// <summary>The places of the weights that make an axis; where there are none those that read it; where there are none of these either, its parameters.</summary>
    public static AxisPlace[] WeightsOf(ChannelAxis axis)
    {
        foreach (var role in (AxisRole[])[AxisRole.Output, AxisRole.Input, AxisRole.Parameter])
        {
            var places = axis.Places.Where(p => p.Role == role && FloatView.CanRead(p.Constant.ElementType)).DistinctBy(p => (p.Constant, p.Dimension)).ToArray();
            if (places.Length > 0)
            {
                return places;
            }
        }

        return [];
    }

    /// <summary>Adds one number a position, divided by their mean.</summary>
    public static void AddRatios(double[] values, Func<double, double> finish, double[] total)
    {
        var mean = 0d;
        for (var i = 0; i < values.Length; i++)
        {
            values[i] = finish(values[i]);
            mean += values[i] / values.Length;
        }

        for (var i = 0; i < values.Length && mean > 0; i++)
        {
            total[i] += values[i] / mean;
        }
    }

    private static void AddSums(AxisPlace place, Mapping map, double[] sums)
    {
        using var view = FloatView.Of(place.Constant.Constant!);
        var mapped = ArrayPool<float>.Shared.Rent(PieceLength);
        var slices = new PositionSlices(place);
        for (var start = 0; start < view.Span.Length; start += PieceLength)
        {
            var piece = view.Span.Slice(start, Math.Min(PieceLength, view.Span.Length - start));
            map(piece, mapped.AsSpan(0, piece.Length));
            slices.Add(mapped.AsSpan(0, piece.Length), start, sums);
        }

        ArrayPool<float>.Shared.Return(mapped);
    }
}
