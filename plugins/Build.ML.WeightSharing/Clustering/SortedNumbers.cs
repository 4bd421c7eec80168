namespace Build.ML.WeightSharing.Clustering;

/// <summary>
/// Distinct numbers in order with how often each occurs, and prefix sums, so that mean and squared error of any stretch take constant time. Up to <see cref="ExactLimit"/> numbers are sorted;
/// of more, a histogram of as many equal steps from the least to the greatest is taken, each step's centre standing for what lies in it.
/// </summary>
internal sealed class SortedNumbers
{
    /// <summary>Numbers up to which all are kept as they are.</summary>
    public const int ExactLimit = 1 << 18;

    private readonly double[] _positions;
    private readonly double[] _counts; // [i]: of the first i positions
    private readonly double[] _sums;
    private readonly double[] _squares;
    private readonly double _origin;

    private SortedNumbers(double[] positions, long[] counts, bool isExact)
    {
        (_positions, IsExact) = (positions, isExact);
        _origin = positions.Length > 0 ? (positions[0] + positions[^1]) / 2 : 0; // sums of squares lose fewer digits around it
        (_counts, _sums, _squares) = (new double[positions.Length + 1], new double[positions.Length + 1], new double[positions.Length + 1]);
        for (var i = 0; i < positions.Length; i++)
        {
            double x = positions[i] - _origin, n = counts[i];
            _counts[i + 1] = _counts[i] + n;
            _sums[i + 1] = _sums[i] + n * x;
            _squares[i + 1] = _squares[i] + n * x * x;
        }
    }

    /// <summary>Number of distinct positions.</summary>
    public int Length => _positions.Length;

    /// <summary>Whether positions are the numbers themselves.</summary>
    public bool IsExact { get; }

    /// <summary>How many numbers there are.</summary>
    public double Total => _counts[^1];

    /// <summary>Position number <paramref name="index"/>, ascending.</summary>
    public double this[int index] => _positions[index];

    /// <summary>Sorts numbers.</summary>
    /// <param name="numbers">Finite.</param>
    /// <param name="summary">Of them.</param>
    /// <param name="withoutZeros">Whether zeros are left out.</param>
    /// <param name="threads">Cores to use; the result does not depend on it.</param>
    public static SortedNumbers Of(ReadOnlySpan<float> numbers, NumberSummary summary, bool withoutZeros, int threads) =>
        numbers.Length <= ExactLimit || summary.Least == summary.Greatest ? Sorted(numbers, withoutZeros) : Histogram(numbers, summary, withoutZeros, threads);

    /// <summary>How many numbers the positions from <paramref name="from"/> to before <paramref name="to"/> stand for.</summary>
    public double Count(int from, int to) => _counts[to] - _counts[from];

    /// <summary>Mean of a stretch that is not empty.</summary>
    public double Mean(int from, int to) => _origin + (_sums[to] - _sums[from]) / Count(from, to);

    /// <summary>Sum of squared distances of a stretch from its mean.</summary>
    public double Error(int from, int to)
    {
        var sum = _sums[to] - _sums[from];
        return to == from ? 0 : Math.Max(0, _squares[to] - _squares[from] - sum * sum / Count(from, to));
    }

    /// <summary>How many positions are at most <paramref name="bound"/>.</summary>
    public int UpTo(double bound)
    {
        var (low, high) = (0, Length);
        while (low < high)
        {
            var middle = (low + high) >>> 1;
            (low, high) = _positions[middle] <= bound ? (middle + 1, high) : (low, middle);
        }

        return low;
    }

    /// <summary>The first position at which <paramref name="share"/> of all numbers, 0 to 1, is reached.</summary>
    public double Quantile(double share)
    {
        var found = Array.BinarySearch(_counts, 1, Length, share * Total);
        return _positions[Math.Min((found < 0 ? ~found : found) - 1, Length - 1)];
    }

    private static SortedNumbers Sorted(ReadOnlySpan<float> numbers, bool withoutZeros)
    {
        var sorted = numbers.ToArray();
        Array.Sort(sorted);
        var (positions, counts) = (new List<double>(), new List<long>());
        foreach (var number in sorted)
        {
            if (number == 0 && withoutZeros)
            {
                continue;
            }

            if (positions.Count > 0 && positions[^1] == number)
            {
                counts[^1]++;
            }
            else
            {
                positions.Add(number);
                counts.Add(1);
            }
        }

        return new([.. positions], [.. counts], true);
    }

    private static SortedNumbers Histogram(ReadOnlySpan<float> numbers, NumberSummary summary, bool withoutZeros, int threads)
    {
        var least = summary.Least;
        var scale = (float)(ExactLimit / ((double)summary.Greatest - least));
        var all = new long[ExactLimit];
        var spare = new System.Collections.Concurrent.ConcurrentBag<int[]>();
        Chunks.ForEach(numbers, threads, (_, part) =>
        {
            var counts = spare.TryTake(out var taken) ? taken : new int[ExactLimit];
            foreach (var number in part)
            {
                var step = Math.Clamp((int)((number - least) * scale), 0, ExactLimit - 1);
                counts[step] += withoutZeros && number == 0 ? 0 : 1;
            }

            spare.Add(counts);
        });
        foreach (var counts in spare)
        {
            for (var i = 0; i < counts.Length; i++)
            {
                all[i] += counts[i];
            }
        }

        var width = ((double)summary.Greatest - least) / ExactLimit;
        var positions = new double[ExactLimit];
        var used = 0;
        for (var i = 0; i < ExactLimit; i++)
        {
            if (all[i] > 0)
            {
                positions[used] = least + (i + 0.5) * width;
                all[used++] = all[i];
            }
        }

        return new(positions[..used], all[..used], false);
    }
}
