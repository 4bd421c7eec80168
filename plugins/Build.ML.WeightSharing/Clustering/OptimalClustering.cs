namespace Build.ML.WeightSharing.Clustering;

/// <summary>
/// The clusters of least squared error. In one dimension they are stretches of the sorted numbers, so that with D(k, j) the least error of the first j in k clusters
/// D(k, j) = min over i of D(k − 1, i) + error(i, j) (Wang and Song 2011); the best i does not fall as j grows, which gives each k in n·log n (Grønlund et al. 2017, arXiv 1701.07204).
/// </summary>
internal static class OptimalClustering
{
    private const int Limit = 8192;

    /// <summary>Means of the best clusters, ascending.</summary>
    /// <param name="numbers">At least as many distinct ones as clusters.</param>
    /// <param name="count">Number of clusters.</param>
    public static double[] Centroids(SortedNumbers numbers, int count)
    {
        var ends = Stretches(numbers);
        var n = ends.Length - 1;
        var before = new double[n + 1];
        var current = new double[n + 1];
        var splits = new int[count][];
        Array.Fill(before, double.PositiveInfinity);
        before[0] = 0;
        for (var k = 0; k < count; k++)
        {
            current.AsSpan().Fill(double.PositiveInfinity);
            splits[k] = new int[n + 1];
            Solve(numbers, ends, before, current, splits[k], k + 1, n - (count - 1 - k), k, n - 1);
            (before, current) = (current, before);
        }

        var centroids = new double[count];
        for (int k = count - 1, to = n; k >= 0; k--)
        {
            var from = splits[k][to];
            centroids[k] = numbers.Mean(ends[from], ends[to]);
            to = from;
        }

        return centroids;
    }

    // Ends of the stretches that are not divided: single positions, or as many numbers in each.
    private static int[] Stretches(SortedNumbers numbers)
    {
        if (numbers.Length <= Limit)
        {
            var all = new int[numbers.Length + 1];
            for (var i = 0; i < all.Length; i++)
            {
                all[i] = i;
            }

            return all;
        }

        // Both by number and by place, so that neither crowds nor outliers are lumped together.
        var ends = new SortedSet<int> { 0, numbers.Length };
        for (var i = 1; i < Limit / 2; i++)
        {
            ends.Add(numbers.UpTo(numbers.Quantile(2d * i / Limit)));
            ends.Add(numbers.UpTo(numbers[0] + (numbers[numbers.Length - 1] - numbers[0]) * 2 * i / Limit));
        }

        return [.. ends];
    }

    // Fills current[from..to], knowing that the last cluster begins at low to high.
    private static void Solve(SortedNumbers numbers, int[] ends, double[] before, double[] current, int[] splits, int from, int to, int low, int high)
    {
        if (from > to)
        {
            return;
        }

        var middle = (from + to) / 2;
        for (var i = low; i <= Math.Min(high, middle - 1); i++)
        {
            var error = before[i] + numbers.Error(ends[i], ends[middle]);
            if (error < current[middle])
            {
                (current[middle], splits[middle]) = (error, i);
            }
        }

        Solve(numbers, ends, before, current, splits, from, middle - 1, low, splits[middle]);
        Solve(numbers, ends, before, current, splits, middle + 1, to, splits[middle], high);
    }
}
