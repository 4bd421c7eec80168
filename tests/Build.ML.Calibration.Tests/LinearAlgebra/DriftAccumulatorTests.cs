using Build.ML.Calibration.LinearAlgebra;

namespace Build.ML.Calibration.Tests.LinearAlgebra;

public sealed class DriftAccumulatorTests
{
    // Within a piece; two pieces and a rest.
    [Theory]
    [InlineData(5, 9)]
    [InlineData(70, 2500)]
    public void The_sum_is_that_in_double_precision_however_pairs_were_cut(int columns, int count)
    {
        var exact = Numbers.Normal(1, (long)columns * count, 1);
        var actual = Numbers.Normal(2, (long)columns * count, 1);
        using var whole = Summed(1, count);
        using var cut = Summed(3, 7);
        for (var i = 0; i < columns; i++)
        {
            Assert.True(whole.Row(i).SequenceEqual(cut.Row(i)));
            for (var j = 0; j < columns; j++)
            {
                double sum = 0;
                for (var n = 0; n < count; n++)
                {
                    sum += ((double)exact[n * columns + i] - actual[n * columns + i]) * actual[n * columns + j];
                }

                Assert.Equal(2 * sum / count, whole[i, j], 1e-5); // six digits of numbers of about 2
            }
        }

        FloatMatrix Summed(int threads, int pairs)
        {
            using var accumulator = new DriftAccumulator(columns, threads);
            for (var first = 0; first < count; first += pairs)
            {
                var length = Math.Min(pairs, count - first) * columns;
                accumulator.Add(exact.AsSpan(first * columns, length), actual.AsSpan(first * columns, length));
            }

            return accumulator.Finish()!;
        }
    }

    [Fact]
    public void Pairs_that_are_equal_have_no_drift()
    {
        using var accumulator = new DriftAccumulator(6, 1);
        var numbers = Numbers.Normal(1, 6 * 2000, 1);
        accumulator.Add(numbers, numbers);
        Assert.Null(accumulator.Finish());
    }

    [Fact]
    public void Unequal_numbers_of_rows_are_refused()
    {
        using var accumulator = new DriftAccumulator(6, 1);
        Assert.Throws<ArgumentException>(() => accumulator.Add(new float[12], new float[6]));
        Assert.Throws<ArgumentException>(() => accumulator.Add(new float[7], new float[7]));
    }
}
