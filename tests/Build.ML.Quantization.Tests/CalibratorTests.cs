using Build.ML.Calibration.Statistics;
using Build.ML.Graph.Catalogs;
using Build.ML.Quantization.Calibration;

namespace Build.ML.Quantization.Tests;

public sealed class CalibratorTests
{
    private static readonly CalibrationTarget U8 = new(QuantizedType.U8, Symmetric: false, Bits: 8, Percentile: 99);

    [Fact]
    public void The_histogram_counts_every_value_in_its_bin()
    {
        var values = Numbers.Normal(1, 10_007, 3);
        var histogram = Of(values);
        var expected = new long[histogram.Bins.Length];
        foreach (var value in values)
        {
            expected[(int)Math.Floor(value / histogram.Width) - histogram.First]++;
        }

        Assert.Equal(expected, histogram.Bins.ToArray());
        Assert.Equal(values.Min(), histogram.Minimum);
        Assert.Equal(values.Max(), histogram.Maximum);
        Assert.InRange(histogram.Bins.Length, ActivationHistogram.Capacity / 2 - 1, ActivationHistogram.Capacity);
    }

    [Fact]
    public void The_histogram_does_not_depend_on_the_order_of_values()
    {
        // Ranges from 1e-3 to 1e3, so that bins widen many times.
        var parts = Enumerable.Range(0, 7).Select(i => Numbers.Normal(i, 1003, Math.Pow(10, i - 3))).ToArray();
        var forwards = Of([.. parts.SelectMany(p => p)]);
        var backwards = new ActivationHistogram();
        foreach (var part in parts.Reverse())
        {
            backwards.Add(part);
        }

        Assert.Equal(forwards.Width, backwards.Width);
        Assert.Equal(forwards.First, backwards.First);
        Assert.Equal(forwards.Bins.ToArray(), backwards.Bins.ToArray());
    }

    [Fact]
    public void Zeros_are_counted_apart()
    {
        float[] values = [.. new float[1234], .. Numbers.Normal(2, 321, 1).Select(Math.Abs)];
        Assert.Equal(1234, Of(values).Zeros);
        Assert.Equal(1555, Of(values).Bins.ToArray().Sum());
    }

    [Fact]
    public void Values_that_are_not_finite_are_refused()
    {
        var histogram = new ActivationHistogram();
        Assert.False(histogram.Add([1, 2, float.NaN]));
        Assert.False(histogram.Add([float.NegativeInfinity]));
        Assert.Equal(0, histogram.Count);
    }

    [Fact]
    public void Min_max_takes_all_that_was_seen()
    {
        var range = new MinMaxCalibrator().Choose(Of([-1.5f, 0.25f, 7]), U8);
        Assert.Equal(new ActivationRange(-1.5f, 7), range);
    }

    [Fact]
    public void Percentile_leaves_at_most_one_in_a_hundred_outside_on_either_side()
    {
        var values = Numbers.Normal(3, 100_000, 1);
        var histogram = Of(values);
        var range = new PercentileCalibrator().Choose(histogram, U8);
        Assert.InRange(values.Count(v => v > range.Maximum), 1, 1000);
        Assert.InRange(values.Count(v => v < range.Minimum), 1, 1000);

        // One bin less would leave out more: the 99th percentile of a normal distribution is 2.326.
        Assert.Equal(2.326, range.Maximum, 0.03);
        Assert.Equal(-2.326, range.Minimum, 0.03);
    }

    [Fact]
    public void Divergence_equals_its_definition_by_plain_loops()
    {
        var bins = Of(Numbers.Normal(4, 50_000, 1)).Bins.ToArray();
        foreach (var (from, to) in new[] { (0, bins.Length), (bins.Length / 2 - 700, bins.Length / 2 + 700), (bins.Length / 2 - 300, bins.Length / 2 + 400) })
        {
            Assert.Equal(PlainDivergence(bins, from, to, 256), EntropyCalibrator.Divergence(bins, from, to, 256), 1e-9);
        }
    }

    [Fact]
    public void Entropy_cuts_off_a_far_outlier_and_keeps_a_uniform_distribution()
    {
        float[] values = [.. Numbers.Normal(5, 200_000, 1), 60f];
        Assert.InRange(new EntropyCalibrator().Choose(Of(values), U8).Maximum, 2.5f, 12f);

        var uniform = Enumerable.Range(0, 100_000).Select(i => i / 100_000f).ToArray();
        Assert.Equal(1, new EntropyCalibrator().Choose(Of(uniform), U8).Maximum, 0.05);
    }

    [Fact]
    public void Mse_is_within_two_per_cent_of_the_best_of_all_pairs_of_ends()
    {
        foreach (var values in new[]
        {
            [.. Numbers.Normal(6, 20_000, 1), 30f],
            Numbers.Normal(7, 20_000, 1).Select(v => v * v * v).ToArray(),
            Numbers.Normal(8, 20_000, 1).Select(v => Math.Max(v, 0)).ToArray(),
        })
        {
            var histogram = Of(values);
            var chosen = MseCalibrator.Error(histogram, new MseCalibrator().Choose(histogram, U8), U8, double.PositiveInfinity);
            var best = double.PositiveInfinity;
            for (var low = 0; low <= 50; low++)
            {
                for (var high = 5; high <= 50; high++)
                {
                    var range = new ActivationRange(histogram.Minimum * low / 50, histogram.Maximum * high / 50);
                    best = Math.Min(best, MseCalibrator.Error(histogram, range, U8, double.PositiveInfinity));
                }
            }

            Assert.InRange(chosen, 0, best * 1.02);
        }
    }

    [Fact]
    public void Every_calibrator_of_the_catalog_chooses_a_range_within_what_was_seen()
    {
        var calibrators = Catalog<Calibrator>.Scan(typeof(Calibrator).Assembly);
        Assert.Equal(["entropy", "min_max", "mse", "percentile"], calibrators.Names);
        foreach (var entry in calibrators)
        {
            foreach (var values in new float[][] { [0], [1], [-1, 1], [-3, -2], Numbers.Normal(9, 5000, 2) })
            {
                var range = entry.Create().Choose(Of(values), U8);
                Assert.InRange(range.Minimum, Math.Min(values.Min(), 0), values.Max());
                Assert.InRange(range.Maximum, values.Min(), Math.Max(values.Max(), 0));
            }
        }
    }

    private static ActivationHistogram Of(float[] values)
    {
        var histogram = new ActivationHistogram();
        Assert.True(histogram.Add(values));
        return histogram;
    }

    // KL(P‖Q) with P and Q written out as distributions.
    private static double PlainDivergence(long[] bins, int from, int to, int levels)
    {
        var width = to - from;
        var p = new double[width];
        var q = new double[width];
        for (var i = 0; i < width; i++)
        {
            p[i] = bins[from + i];
        }

        for (var level = 0; level < levels; level++)
        {
            var members = Enumerable.Range(0, width).Where(i => i >= level * width / levels && i < (level + 1) * width / levels).ToArray();
            var filled = members.Where(i => bins[from + i] > 0).ToArray();
            foreach (var i in filled)
            {
                q[i] = members.Sum(j => (double)bins[from + j]) / filled.Length;
            }
        }

        p[0] += bins[..from].Sum();
        p[^1] += bins[to..].Sum();
        double pSum = p.Sum(), qSum = q.Sum();
        return Enumerable.Range(0, width).Where(i => p[i] > 0).Sum(i => p[i] / pSum * Math.Log(p[i] / pSum / (Math.Max(q[i], 1e-4) / qSum)));
    }
}
