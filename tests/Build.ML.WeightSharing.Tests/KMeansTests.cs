using Build.ML.Training.Random;
using Build.ML.WeightSharing.Clustering;

namespace Build.ML.WeightSharing.Tests;

public sealed class KMeansTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public void The_optimal_start_has_the_error_of_the_best_of_all_partitions(int clusters)
    {
        for (var seed = 0; seed < 30; seed++)
        {
            var numbers = Normal(10, seed);
            Array.Sort(numbers);
            var best = Partitions(numbers.Length, clusters).Min(ends => ends.Zip(ends.Skip(1)).Sum(e => Error(numbers[e.First..e.Second])));
            // Sums of ten numbers in float and double differ in the last digits.
            Assert.Equal(best, ErrorOf(numbers, Fit(numbers, clusters, KMeansStart.Optimal)), 1e-6);
        }
    }

    [Theory]
    [InlineData(KMeansStart.Linear)]
    [InlineData(KMeansStart.Density)]
    [InlineData(KMeansStart.PlusPlus)]
    [InlineData(KMeansStart.Optimal)]
    public void Each_centroid_is_the_mean_of_the_numbers_nearest_to_it(KMeansStart start)
    {
        var numbers = Normal(5000, 3);
        var centroids = Fit(numbers, 16, start);

        Assert.Equal(16, centroids.Length);
        Assert.Equal(centroids.Order(), centroids);
        foreach (var (centroid, members) in centroids.Zip(Members(numbers, centroids)))
            Assert.Equal(members.Average(x => (double)x), centroid, 1e-6);
    }

    [Fact]
    public void No_start_is_better_than_the_optimal_one()
    {
        for (var seed = 0; seed < 5; seed++)
        {
            var numbers = Normal(2000, seed);
            var best = ErrorOf(numbers, Fit(numbers, 12, KMeansStart.Optimal));
            foreach (var start in Enum.GetValues<KMeansStart>())
                Assert.True(ErrorOf(numbers, Fit(numbers, 12, start)) >= best * (1 - 1e-9), $"{start}, seed {seed}");
        }
    }

    [Fact]
    public void The_linear_start_is_even_from_least_to_greatest()
    {
        var start = InitialCentroids.Choose(Sort([-1, 0.1f, 0.2f, 0.3f, 3]), 5, KMeansStart.Linear, default);

        Assert.Equal([-1, 0, 1, 2, 3], start);
    }

    [Fact]
    public void The_density_start_has_as_many_numbers_between_each_two()
    {
        float[] numbers = [.. Enumerable.Range(0, 1000).Select(i => MathF.Pow(i / 999f, 4))];
        var start = InitialCentroids.Choose(Sort(numbers), 10, KMeansStart.Density, default);

        Assert.Equal(Enumerable.Range(0, 10).Select(i => (double)numbers[50 + i * 100 - 1]), start);
    }

    [Fact]
    public void The_plus_plus_start_takes_each_number_with_the_share_of_its_squared_distance()
    {
        // After 0, which is nearly always the first, come 1 or 9 with probabilities in proportion to their squared distances: 1 and 81.
        var numbers = Sort([.. new float[9998], 1, 9]);
        var (zero, nine) = (0, 0);
        for (var seed = 0; seed < 3000; seed++)
        {
            var start = InitialCentroids.Choose(numbers, 2, KMeansStart.PlusPlus, new CounterRandom(seed));
            zero += start[0] == 0 && start[1] > 0 ? 1 : 0;
            nine += start is [0, 9] ? 1 : 0;
        }

        // Four standard deviations: √(0.012/3000) = 0.002.
        Assert.InRange(nine / (double)zero, 81 / 82d - 0.008, 81 / 82d + 0.008);
    }

    [Fact]
    public void Fewer_distinct_numbers_than_clusters_are_kept_as_they_are() =>
        Assert.Equal([-2f, 0.5f, 7], Fit([7, 0.5f, -2, 7, 0.5f, 7, 7], 16, KMeansStart.Linear));

    [Fact]
    public void A_start_with_empty_clusters_still_uses_all_of_them()
    {
        // A linear start leaves all but two of sixteen centroids without numbers.
        float[] numbers = [.. Normal(500, 1).Select(x => x * 1e-3f), 1000];
        var centroids = Fit(numbers, 16, KMeansStart.Linear);

        Assert.All(Members(numbers, centroids), m => Assert.NotEmpty(m));
    }

    [Fact]
    public void Further_rounds_over_all_of_many_numbers_gain_next_to_nothing()
    {
        // Beyond the limit a histogram is taken: its steps, the range over 2¹⁸, move bounds by so little that the error changes in the fifth digit at most.
        var numbers = Normal(3 * SortedNumbers.ExactLimit, 9);
        var centroids = Fit(numbers, 16, KMeansStart.Optimal);
        var reached = ErrorOf(numbers, centroids);
        var exact = Array.ConvertAll(centroids, c => (double)c);
        for (var round = 0; round < 3; round++)
            exact = [.. Members(numbers, Array.ConvertAll(exact, c => (float)c)).Select(m => m.Average(x => (double)x))];

        Assert.InRange(reached, 0, ErrorOf(numbers, Array.ConvertAll(exact, c => (float)c)) * 1.00001);
    }

    [Theory]
    [InlineData(KMeansStart.Linear)]
    [InlineData(KMeansStart.PlusPlus)]
    public void Threads_do_not_change_a_bit(KMeansStart start)
    {
        var numbers = Normal(3 * Chunks.Size + 17, 4);

        Assert.Equal(Fit(numbers, 8, start, 1), Fit(numbers, 8, start, 2));
    }

    [Fact]
    public void Intervals_are_those_that_comparing_with_every_bound_finds()
    {
        for (var seed = 0; seed < 20; seed++)
        {
            float[] bounds = [.. Normal(1 + seed * 12, seed).Order()];
            var intervals = new Intervals(bounds);
            float[] numbers = [.. Normal(500, 100 + seed).Select(x => 3 * x), .. bounds, float.MaxValue, float.MinValue, -0f];
            foreach (var number in numbers)
                Assert.Equal(bounds.Count(b => number > b), intervals.Of(number));
        }
    }

    internal static float[] Normal(int count, long seed)
    {
        var numbers = new float[count];
        new CounterRandom(seed).FillNormal(numbers);
        return numbers;
    }

    private static float[] Fit(float[] numbers, int clusters, KMeansStart start, int threads = 2) =>
        KMeans.Centroids(numbers, NumberSummary.Of(numbers, threads), clusters, start, false, new CounterRandom(1), threads);

    private static SortedNumbers Sort(float[] numbers) => SortedNumbers.Of(numbers, NumberSummary.Of(numbers, 1), false, 1);

    private static List<float>[] Members(float[] numbers, float[] centroids)
    {
        var members = Array.ConvertAll(centroids, _ => new List<float>());
        foreach (var number in numbers)
            members[Nearest(number, centroids)].Add(number);
        return members;
    }

    private static int Nearest(float number, float[] centroids)
    {
        var nearest = 0;
        for (var k = 1; k < centroids.Length; k++)
            nearest = Math.Abs((double)number - centroids[k]) < Math.Abs((double)number - centroids[nearest]) ? k : nearest;
        return nearest;
    }

    private static double ErrorOf(float[] numbers, float[] centroids) => numbers.Sum(x => Math.Pow(x - (double)centroids[Nearest(x, centroids)], 2));

    private static double Error(float[] numbers)
    {
        var mean = numbers.Average(x => (double)x);
        return numbers.Sum(x => (x - mean) * (x - mean));
    }

    // Ends of all ways to divide n sorted numbers into stretches that are not empty.
    private static IEnumerable<int[]> Partitions(int n, int stretches)
    {
        if (stretches == 1)
        {
            yield return [0, n];
            yield break;
        }

        for (var last = stretches - 1; last < n; last++)
            foreach (var ends in Partitions(last, stretches - 1))
                yield return [.. ends, n];
    }
}
