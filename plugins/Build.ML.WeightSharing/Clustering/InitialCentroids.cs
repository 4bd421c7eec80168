using Build.ML.Training.Random;

namespace Build.ML.WeightSharing.Clustering;

/// <summary>The four starts of k-means.</summary>
internal static class InitialCentroids
{
    /// <summary>Centroids to begin with, ascending.</summary>
    /// <param name="numbers">At least as many distinct ones as centroids.</param>
    /// <param name="count">Number of centroids.</param>
    /// <param name="start">Where.</param>
    /// <param name="random">For <see cref="KMeansStart.PlusPlus"/>.</param>
    public static double[] Choose(SortedNumbers numbers, int count, KMeansStart start, CounterRandom random) => start switch
    {
        KMeansStart.Linear => Linear(numbers, count),
        KMeansStart.Density => Density(numbers, count),
        KMeansStart.PlusPlus => PlusPlus(numbers, count, random),
        _ => OptimalClustering.Centroids(numbers, count),
    };

    // c_i = min + (max − min)·i/(k − 1)
    private static double[] Linear(SortedNumbers numbers, int count)
    {
        var (least, greatest) = (numbers[0], numbers[numbers.Length - 1]);
        return count == 1 ? [(least + greatest) / 2] : Each(count, i => least + (greatest - least) * i / (count - 1));
    }

    // F(c_i) = (i + ½)/k
    private static double[] Density(SortedNumbers numbers, int count) => Each(count, i => numbers.Quantile((i + 0.5) / count));

    private static double[] PlusPlus(SortedNumbers numbers, int count, CounterRandom random)
    {
        var distances = new double[numbers.Length];
        Array.Fill(distances, double.PositiveInfinity);
        var centroids = new double[count];
        centroids[0] = numbers.Quantile(random.Uniform());
        for (var chosen = 1; chosen < count; chosen++)
        {
            var (last, total) = (centroids[chosen - 1], 0d);
            for (var i = 0; i < distances.Length; i++)
            {
                var distance = numbers[i] - last;
                distances[i] = Math.Min(distances[i], distance * distance);
                total += distances[i] * numbers.Count(i, i + 1);
            }

            var (left, next) = (random.Uniform() * total, -1);
            for (var i = 0; i < distances.Length && (next < 0 || left >= 0); i++)
            {
                if (distances[i] > 0)
                {
                    next = i;
                    left -= distances[i] * numbers.Count(i, i + 1);
                }
            }

            centroids[chosen] = numbers[next];
        }

        Array.Sort(centroids);
        return centroids;
    }

    private static double[] Each(int count, Func<int, double> value)
    {
        var values = new double[count];
        for (var i = 0; i < count; i++)
        {
            values[i] = value(i);
        }

        return values;
    }
}
