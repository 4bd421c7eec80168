namespace Build.ML.WeightSharing.Layers;

/// <summary>Which layers of a run share weights.</summary>
internal static class LayerGroups
{
    /// <summary>The group of each layer, numbered from 0 by first appearance.</summary>
    /// <param name="layers">Number of layers.</param>
    /// <param name="groups">Number of groups, 1 to <paramref name="layers"/>.</param>
    /// <param name="order">How.</param>
    /// <param name="distance">Distance of two layers, for <see cref="SharingOrder.Similar"/>.</param>
    public static int[] Of(int layers, int groups, SharingOrder order, Func<int, int, double> distance)
    {
        var of = new int[layers];
        for (var i = 0; i < layers; i++)
        {
            of[i] = order switch
            {
                SharingOrder.Sequence => (int)((long)i * groups / layers),
                SharingOrder.CycleReverse when i >= (layers - 1) / groups * groups && i >= groups => groups - 1 - (i % groups),
                _ => i % groups,
            };
        }

        return order == SharingOrder.Similar ? Nearest(layers, groups, distance) : of;
    }

    // Agglomerative clustering by the mean distance of pairs: the two nearest groups are joined until as many are left as asked for.
    private static int[] Nearest(int layers, int groups, Func<int, int, double> distance)
    {
        var distances = new double[layers, layers];
        for (var i = 0; i < layers; i++)
        {
            for (var j = 0; j < i; j++)
            {
                distances[i, j] = distances[j, i] = distance(j, i);
            }
        }

        var sets = Enumerable.Range(0, layers).Select(i => new List<int> { i }).ToList();
        while (sets.Count > groups)
        {
            var (best, first, second) = (double.PositiveInfinity, 0, 1);
            for (var a = 0; a < sets.Count; a++)
            {
                for (var b = a + 1; b < sets.Count; b++)
                {
                    var mean = sets[a].Average(i => sets[b].Average(j => distances[i, j]));
                    if (mean < best)
                    {
                        (best, first, second) = (mean, a, b);
                    }
                }
            }

            sets[first].AddRange(sets[second]);
            sets.RemoveAt(second);
        }

        var of = new int[layers];
        for (var g = 0; g < sets.Count; g++)
        {
            sets[g].ForEach(i => of[i] = g);
        }

        return of;
    }
}
