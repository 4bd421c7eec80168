using Build.ML.Training.Random;

namespace Build.ML.WeightSharing.Clustering;

/// <summary>
/// Lloyd's k-means of numbers: each belongs to its nearest centroid, each centroid moves to the mean of what belongs to it, until nothing changes. On sorted numbers with prefix sums a round
/// takes one binary search a centroid, however many numbers there are.
/// </summary>
internal static class KMeans
{
    private const int Rounds = 1000;

    /// <summary>Centroids of all numbers, ascending; fewer than asked for where there are fewer distinct numbers.</summary>
    /// <param name="numbers">Finite numbers.</param>
    /// <param name="summary">Of them.</param>
    /// <param name="count">Number of centroids, 1 or more.</param>
    /// <param name="start">Where they begin.</param>
    /// <param name="withoutZeros">Whether zeros take no part.</param>
    /// <param name="random">For starts that are random.</param>
    /// <param name="threads">Cores to use; the result does not depend on it.</param>
    public static float[] Centroids(ReadOnlySpan<float> numbers, NumberSummary summary, int count, KMeansStart start, bool withoutZeros, CounterRandom random, int threads)
    {
        var sorted = SortedNumbers.Of(numbers, summary, withoutZeros, threads);
        if (sorted.IsExact && sorted.Length <= count)
        {
            var distinct = new float[sorted.Length];
            for (var i = 0; i < distinct.Length; i++)
            {
                distinct[i] = (float)sorted[i];
            }

            return distinct;
        }

        count = Math.Min(count, sorted.Length);
        var centroids = InitialCentroids.Choose(sorted, count, start, random);
        Converge(sorted, centroids);
        var result = Array.ConvertAll(centroids, c => (float)c);
        return sorted.IsExact ? result : ExactMeans(numbers, result, withoutZeros, threads);
    }

    /// <summary>Moves centroids until they stay.</summary>
    /// <param name="numbers">At least as many distinct ones as centroids.</param>
    /// <param name="centroids">Ascending, before and after.</param>
    public static void Converge(SortedNumbers numbers, double[] centroids)
    {
        var ends = new int[centroids.Length + 1];
        for (var round = 0; round < Rounds; round++)
        {
            var moved = round == 0;
            ends[^1] = numbers.Length;
            for (var k = 1; k < centroids.Length; k++)
            {
                var end = numbers.UpTo((centroids[k - 1] + centroids[k]) / 2);
                moved |= end != ends[k];
                ends[k] = end;
            }

            var empty = -1;
            for (var k = 0; k < centroids.Length; k++)
            {
                if (ends[k + 1] > ends[k])
                {
                    centroids[k] = numbers.Mean(ends[k], ends[k + 1]);
                }
                else
                {
                    empty = k;
                }
            }

            if (empty >= 0)
            {
                Fill(numbers, centroids, ends, empty);
            }
            else if (!moved)
            {
                return;
            }
        }
    }

    // A centroid with nothing goes to the number that is farthest from its own, of the cluster of greatest error.
    private static void Fill(SortedNumbers numbers, double[] centroids, int[] ends, int empty)
    {
        var (worst, error) = (-1, -1d);
        for (var k = 0; k < centroids.Length; k++)
        {
            if (ends[k + 1] - ends[k] > 1 && numbers.Error(ends[k], ends[k + 1]) is var other && other > error)
            {
                (worst, error) = (k, other);
            }
        }

        var (first, last) = (numbers[ends[worst]], numbers[ends[worst + 1] - 1]);
        centroids[empty] = centroids[worst] - first > last - centroids[worst] ? first : last;
        Array.Sort(centroids);
    }

    // Centroids of a histogram are exact but for its steps: one more round over the numbers themselves.
    private static float[] ExactMeans(ReadOnlySpan<float> numbers, float[] centroids, bool withoutZeros, int threads)
    {
        var intervals = new Intervals(Intervals.Between(centroids));
        var sums = new double[Chunks.Count(numbers.Length)][];
        var counts = new long[sums.Length][];
        Chunks.ForEach(numbers, threads, (chunk, part) =>
        {
            var (sum, count) = (sums[chunk], counts[chunk]) = (new double[centroids.Length], new long[centroids.Length]);
            foreach (var number in part)
            {
                if (number != 0 || !withoutZeros)
                {
                    var k = intervals.Of(number);
                    sum[k] += number;
                    count[k]++;
                }
            }
        });
        var result = new float[centroids.Length];
        for (var k = 0; k < result.Length; k++)
        {
            var (sum, count) = (0d, 0L);
            for (var chunk = 0; chunk < sums.Length; chunk++)
            {
                sum += sums[chunk][k];
                count += counts[chunk][k];
            }

            result[k] = count == 0 ? centroids[k] : (float)(sum / count);
        }

        return result;
    }
}
