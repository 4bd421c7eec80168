using Build.ML.Calibration.Statistics;
using Build.ML.Graph;
using Build.ML.Graph.Tensors;

namespace Build.ML.Calibration.Tests;

public sealed class StatisticTests
{
    [Theory]
    [InlineData(-1, 37)]
    [InlineData(1, 5)]
    [InlineData(0, 3)]
    public void Channels_have_the_extremes_and_means_of_their_values(int axis, int channels)
    {
        long[] sizes = [3, 5, 11, 37];
        var first = Numbers.Tensor(1, 2, sizes);
        var second = Numbers.Tensor(2, 0.5, sizes);
        var statistic = new ChannelStatistic(axis);
        var seen = statistic.Create();
        Assert.True(statistic.Add(seen, first));
        Assert.True(statistic.Add(seen, second));

        Assert.Equal(channels, seen.Channels);
        Assert.Equal(2 * 3 * 5 * 11 * 37 / channels, seen.Count);
        for (var channel = 0; channel < channels; channel++)
        {
            double[] values = [.. OfChannel(first, axis, channel), .. OfChannel(second, axis, channel)];
            Assert.Equal(values.Min(), seen.Minimum[channel]);
            Assert.Equal(values.Max(), seen.Maximum[channel]);
            // At most 407 values are added in binary32 at a time: 1e-5 is a dozen of its units.
            Assert.Equal(values.Average(), seen.Mean[channel], 1e-5);
            Assert.Equal(values.Average(Math.Abs), seen.MeanMagnitude[channel], 1e-5);
            Assert.Equal(values.Average(v => v * v), seen.MeanSquare[channel], 5e-5);
        }
    }

    [Fact]
    public void A_Hessian_is_twice_the_mean_of_the_products_of_inputs()
    {
        var first = Numbers.Tensor(1, 2, 3, 7, 37);
        var second = Numbers.Tensor(2, 0.5, 41, 37);
        var statistic = new HessianStatistic(threads: 2);
        using var seen = statistic.Create();
        Assert.True(statistic.Add(seen, first));
        Assert.True(statistic.Add(seen, second));
        using var stream = new MemoryStream();
        statistic.Write(seen, stream);
        stream.Position = 0;
        using var read = statistic.Read(stream);

        var rows = first.ToArray<float>().Concat(second.ToArray<float>()).Chunk(37).ToArray();
        Assert.Equal(62, seen.Count);
        Assert.Equal(62, read.Count);
        for (var i = 0; i < 37; i++)
            for (var j = 0; j < 37; j++)
            {
                // 62 products of size about 4 added in binary32: 62·4·2/62·2^-24 is 5e-7.
                Assert.Equal(rows.Sum(r => (double)r[i] * r[j]) * 2 / 62, seen.Matrix[i, j], 1e-5);
                Assert.Equal(seen.Matrix[i, j], read.Matrix[i, j]);
            }
    }

    [Fact]
    public void Half_precision_activations_are_read_as_they_are()
    {
        var values = Numbers.Normal(3, 7 * 19, 1);
        var half = Tensor.Of(Array.ConvertAll(values, v => (Half)v), 7, 19);
        var widened = Tensor.Of(Array.ConvertAll(values, v => (float)(Half)v), 7, 19);
        var brain = new Tensor(DataType.BFloat16, [7, 19], new MemoryContent(values.SelectMany(v => BitConverter.GetBytes(v)[2..]).ToArray()));

        using var read = FloatView.Of(half);
        using var readBrain = FloatView.Of(brain);

        Assert.Equal(widened.ToArray<float>(), read.Span.ToArray());
        for (var i = 0; i < values.Length; i++)
            Assert.Equal(BitConverter.UInt32BitsToSingle(BitConverter.SingleToUInt32Bits(values[i]) & 0xFFFF0000), readBrain.Span[i]);
    }

    [Fact]
    public void A_sample_of_rows_is_all_of_them_where_there_are_few()
    {
        var tensor = Numbers.Tensor(1, 1, 2, 3, 8);
        var statistic = new RowSampleStatistic(6, seed: 5);
        var sample = statistic.Create();
        Assert.True(statistic.Add(sample, tensor));

        Assert.Equal(6, sample.Rows);
        Assert.Equal(tensor.ToArray<float>(), sample.Elements.ToArray());
    }

    [Fact]
    public void Every_row_is_drawn_about_equally_often()
    {
        // 4 of 20 rows, 2000 drawings: a row is drawn 400 times, standard deviation √(2000·0.2·0.8) = 18. Five of them either way.
        var drawn = new int[20];
        var rows = Tensor.Of(Enumerable.Range(0, 20).Select(i => (float)i).ToArray(), 20, 1);
        for (var seed = 0; seed < 2000; seed++)
        {
            var statistic = new RowSampleStatistic(4, seed);
            var sample = statistic.Create();
            statistic.Add(sample, rows);
            for (var i = 0; i < sample.Rows; i++)
                drawn[(int)sample.Row(i)[0]]++;
        }

        Assert.All(drawn, count => Assert.InRange(count, 310, 490));
    }

    [Fact]
    public void Activations_of_as_many_rows_give_the_same_rows()
    {
        var statistic = new RowSampleStatistic(5, seed: 3);
        var (narrow, wide) = (statistic.Create(), statistic.Create());
        for (var batch = 0; batch < 4; batch++)
        {
            statistic.Add(narrow, Tensor.Of(Enumerable.Range(10 * batch, 10).Select(i => (float)i).ToArray(), 10, 1));
            statistic.Add(wide, Tensor.Of(Enumerable.Range(20 * batch, 20).Select(i => (float)(i / 2)).ToArray(), 10, 2));
        }

        for (var i = 0; i < 5; i++)
            Assert.Equal(narrow.Row(i)[0], wide.Row(i)[1]);
    }

    [Fact]
    public void Numbers_that_are_not_finite_are_refused()
    {
        foreach (var bad in new[] { float.NaN, float.PositiveInfinity, float.NegativeInfinity })
        {
            var values = Numbers.Normal(1, 50, 1);
            values[33] = bad;
            var tensor = Tensor.Of(values, 5, 10);
            Assert.False(Adds(new ChannelStatistic(), tensor));
            Assert.False(Adds(new ChannelStatistic(0), tensor));
            Assert.False(Adds(new RowSampleStatistic(3, 1), tensor));
            Assert.False(Adds(new HistogramStatistic(), tensor));
            Assert.False(Adds(new HessianStatistic(1), tensor));
        }

        static bool Adds<T>(ActivationStatistic<T> statistic, Tensor tensor)
            where T : class => statistic.Add(statistic.Create(), tensor);
    }

    [Fact]
    public void What_was_written_is_read_again()
    {
        var histogram = RoundTrip(new HistogramStatistic(), out var histogramBefore);
        Assert.Equal(histogramBefore.Bins.ToArray(), histogram.Bins.ToArray());
        Assert.Equal((histogramBefore.Width, histogramBefore.First, histogramBefore.Minimum, histogramBefore.Maximum, histogramBefore.Count, histogramBefore.Zeros),
            (histogram.Width, histogram.First, histogram.Minimum, histogram.Maximum, histogram.Count, histogram.Zeros));
        // And goes on as the one that was never written.
        histogramBefore.Add([1e4f, -3]);
        histogram.Add([1e4f, -3]);
        Assert.Equal(histogramBefore.Bins.ToArray(), histogram.Bins.ToArray());

        var channels = RoundTrip(new ChannelStatistic(), out var channelsBefore);
        Assert.Equal(channelsBefore.Minimum, channels.Minimum);
        Assert.Equal(channelsBefore.Maximum, channels.Maximum);
        Assert.Equal(channelsBefore.Mean, channels.Mean);
        Assert.Equal(channelsBefore.MeanMagnitude, channels.MeanMagnitude);
        Assert.Equal(channelsBefore.MeanSquare, channels.MeanSquare);

        var rows = RoundTrip(new RowSampleStatistic(4, 9), out var rowsBefore);
        Assert.Equal((rowsBefore.Columns, rowsBefore.Rows, rowsBefore.Seen), (rows.Columns, rows.Rows, rows.Seen));
        Assert.Equal(rowsBefore.Elements.ToArray(), rows.Elements.ToArray());

        static T RoundTrip<T>(ActivationStatistic<T> statistic, out T before)
            where T : class
        {
            before = statistic.Create();
            statistic.Add(before, Numbers.Tensor(4, 3, 12, 20));
            using var stream = new MemoryStream();
            statistic.Write(before, stream);
            stream.Position = 0;
            var after = statistic.Read(stream);
            Assert.Equal(stream.Length, stream.Position);
            return after;
        }
    }

    static IEnumerable<double> OfChannel(Tensor tensor, int axis, int channel)
    {
        var values = tensor.ToArray<float>();
        var at = axis < 0 ? axis + tensor.Rank : axis;
        var inner = tensor.Sizes.Skip(at + 1).Aggregate(1L, (a, b) => a * b);
        for (var i = 0; i < values.Length; i++)
            if (i / inner % tensor.Sizes[at] == channel)
                yield return values[i];
    }
}
