using Build.ML.Abstractions.Data;
using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Tensors;
using Build.ML.Training.Augmentations;
using Build.ML.Training.Feed;

namespace Build.ML.Training.Tests;

public sealed class TrainingFeedTests
{
    sealed class Samples(int count, Func<int, Sample> read) : DataSet
    {
        public override int Count => count;

        public override Sample this[int index] => read(index);
    }

    static Samples Images(int count, Action<int>? onRead = null) => new(count, i =>
    {
        onRead?.Invoke(i);
        return new Sample([new("x", Tensor.Of(Enumerable.Range(0, 48).Select(k => (float)((i * 48) + k)).ToArray(), 3, 4, 4))], new Label { Class = i });
    });

    static Samples Texts(params int[] lengths) => new(lengths.Length, i => new Sample(
        [new("ids", Tensor.Of(Enumerable.Repeat((long)i + 100, lengths[i]).ToArray(), lengths[i])), new("mask", Tensor.Of(Enumerable.Repeat(1, lengths[i]).ToArray(), lengths[i]))],
        new Label { Class = i }));

    static Diagnostic Refused(Func<object> act) => Assert.Single(Assert.Throws<DiagnosticException>(act).Diagnostics);

    static readonly FeedOptions Augmented = new() { BatchSize = 4, Seed = 7, Augmentations = [new Flip(), new Crop { Padding = 1 }, new ColorJitter()] };

    [Theory]
    [InlineData(0)]
    [InlineData(3)]
    public void Every_epoch_has_every_sample_and_fills_its_last_batch_up(int window)
    {
        using var feed = new TrainingFeed(Images(10), new() { BatchSize = 4, ShuffleWindow = window });
        Assert.Equal(3, feed.StepsPerEpoch);
        var orders = new HashSet<string>();
        for (var epoch = 0; epoch < 5; epoch++)
        {
            var indices = new List<int>();
            for (var step = 0; step < 3; step++)
            {
                var batch = feed.Take((epoch * 3) + step);
                Assert.Equal(epoch, batch.Epoch);
                Assert.Equal(batch.Indices.Select(i => (long?)i), batch.Labels.Select(l => l.Class));
                Assert.Equal([4L, 3, 4, 4], batch.Inputs[0].Value.Sizes.AsEnumerable());
                Assert.Equal(batch.Indices.Select(i => i * 48f), Enumerable.Range(0, 4).Select(p => batch.Inputs[0].Value.Span<float>()[p * 48]));
                indices.AddRange(batch.Indices);
            }

            Assert.Equal(Enumerable.Range(0, 10), indices.Take(10).Order());
            Assert.Equal(indices.Take(2), indices.Skip(10));
            orders.Add(string.Join(' ', indices));
        }

        Assert.Equal(5, orders.Count);
    }

    [Fact]
    public void Windows_keep_neighbours_together()
    {
        using var feed = new TrainingFeed(Images(64), new() { BatchSize = 8, ShuffleWindow = 8 });
        var windows = new List<int>();
        for (var step = 0; step < 8; step++)
        {
            windows.Add(Assert.Single(feed.Take(step).Indices.Select(i => i / 8).Distinct()));
        }

        Assert.NotEqual(windows.Order(), windows);
        Assert.Equal(8, windows.Distinct().Count());
    }

    [Fact]
    public void Data_in_order_stays_in_order()
    {
        using var feed = new TrainingFeed(Images(6), new() { BatchSize = 4, Shuffle = false });
        Assert.Equal([0, 1, 2, 3], (IEnumerable<int>)feed.Take(0).Indices);
        Assert.Equal([4, 5, 0, 1], (IEnumerable<int>)feed.Take(1).Indices);
        Assert.Equal([0, 1, 2, 3], (IEnumerable<int>)feed.Take(2).Indices);
    }

    [Fact]
    public void A_batch_larger_than_the_data_repeats_samples_with_new_augmentation()
    {
        using var feed = new TrainingFeed(Images(2), Augmented with { BatchSize = 6 });
        var batch = feed.Take(0);
        Assert.Equal([3, 3], batch.Indices.GroupBy(i => i).Select(g => g.Count()));
        var (first, repeated) = (batch.Inputs[0].Value.Span<float>()[..48].ToArray(), batch.Inputs[0].Value.Span<float>().Slice(96, 48).ToArray());
        Assert.Equal(batch.Indices[0], batch.Indices[2]);
        Assert.NotEqual(first, repeated);
    }

    [Fact]
    public void Seeking_gives_the_bits_that_reading_on_gives()
    {
        var expected = new Dictionary<long, (int[] Indices, float[] Elements)>();
        using (var feed = new TrainingFeed(Images(10), Augmented))
        {
            for (var step = 0; step < 20; step++)
            {
                var batch = feed.Take(step);
                expected[step] = ([.. batch.Indices], batch.Inputs[0].Value.Span<float>().ToArray());
            }
        }

        using var other = new TrainingFeed(Images(10), Augmented);
        foreach (var step in new long[] { 13, 14, 15, 2, 3, 19, 0, 0, 1, 3, 4, 6, 5 })
        {
            var batch = other.Take(step);
            Assert.Equal(step, batch.Step);
            Assert.Equal(expected[step].Indices, batch.Indices);
            Assert.Equal(expected[step].Elements, batch.Inputs[0].Value.Span<float>().ToArray());
        }

        using var reseeded = new TrainingFeed(Images(10), Augmented with { Seed = 8 });
        Assert.NotEqual(expected[0].Indices, reseeded.Take(0).Indices);
    }

    [Fact]
    public void Augmentation_depends_on_the_sample_not_on_its_batch()
    {
        Dictionary<int, float[]> Epoch(int batchSize)
        {
            using var feed = new TrainingFeed(Images(12), Augmented with { BatchSize = batchSize });
            var images = new Dictionary<int, float[]>();
            for (var step = 0; step < feed.StepsPerEpoch; step++)
            {
                var batch = feed.Take(step);
                for (var i = 0; i < batchSize; i++)
                {
                    images[batch.Indices[i]] = batch.Inputs[0].Value.Span<float>().Slice(i * 48, 48).ToArray();
                }
            }

            return images;
        }

        var (four, six) = (Epoch(4), Epoch(6));
        Assert.Equal(12, four.Count);
        Assert.All(four, p => Assert.Equal(p.Value, six[p.Key]));
    }

    [Fact]
    public void Buckets_pad_to_a_multiple_and_batches_have_one_shape()
    {
        int[] lengths = [3, 9, 4, 1, 12, 2, 17, 8, 5, 7, 6];
        using var feed = new TrainingFeed(Texts(lengths), new() { BatchSize = 2, Buckets = new() { Multiple = 8, PadValue = -5 } });
        Assert.Equal(["ids int64[8], mask int32[8]", "ids int64[16], mask int32[16]", "ids int64[24], mask int32[24]"], feed.Shapes.Select(s => s.ToString()));
        Assert.Equal(6, feed.StepsPerEpoch);
        var orders = new HashSet<string>();
        for (var epoch = 0; epoch < 4; epoch++)
        {
            var seen = new List<int>();
            for (var step = 0; step < 6; step++)
            {
                var batch = feed.Take((epoch * 6) + step);
                var width = (int)batch.Shape.Inputs[0].Sizes[0];
                seen.AddRange(batch.Indices);
                for (var i = 0; i < 2; i++)
                {
                    var length = lengths[batch.Indices[i]];
                    Assert.True(length <= width);
                    Assert.Equal(
                        [.. Enumerable.Repeat(batch.Indices[i] + 100L, length), .. Enumerable.Repeat(-5L, width - length)],
                        batch.Inputs[0].Value.Span<long>().Slice(i * width, width).ToArray());
                    Assert.Equal(length, batch.Inputs[1].Value.Span<int>().Slice(i * width, width).ToArray().Sum());
                }
            }

            Assert.Equal(Enumerable.Range(0, 11), seen.Distinct().Order());
            orders.Add(string.Join(' ', seen));
        }

        Assert.Equal(4, orders.Count);
    }

    [Fact]
    public void Padding_fills_rows_of_images_too()
    {
        var data = new Samples(2, i => new Sample([new("", Tensor.Of<float>(i == 0 ? [1, 2, 3, 4] : [5, 6, 7, 8, 9, 10], 1, 2, i == 0 ? 2 : 3))], Label.None));
        using var feed = new TrainingFeed(data, new() { BatchSize = 2, Shuffle = false, Buckets = new() { Multiple = 4, PadValue = 0.5 } });
        Assert.Equal([1f, 2, .5f, .5f, 3, 4, .5f, .5f, 5, 6, 7, .5f, 8, 9, 10, .5f], feed.Take(0).Inputs[0].Value.Span<float>().ToArray());
    }

    [Fact]
    public void Data_that_cannot_be_trained_on_is_refused_with_what_to_set()
    {
        using var ragged = new TrainingFeed(Texts(3, 3, 4, 3), new() { BatchSize = 2, Shuffle = false, Name = "data set 'mails'" });
        Assert.Equal(0, ragged.Take(0).Step);
        var differs = Refused(() => ragged.Take(1));
        Assert.Equal("BML6081", differs.Code);
        Assert.StartsWith("Sample 2 of the data set 'mails' is ids int64[4], mask int32[4], the first is ids int64[3], mask int32[3]", differs.Message, StringComparison.Ordinal);
        Assert.Contains("'buckets'", differs.Message, StringComparison.Ordinal);
        Assert.Equal("BML6080", Refused(() => new TrainingFeed(Images(0), new() { BatchSize = 1 })).Code);
        var whole = new Samples(1, _ => new Sample([new("rate", Tensor.Scalar(16000L))], Label.None) { Whole = ["rate"] });
        Assert.Equal("BML6082", Refused(() => new TrainingFeed(whole, new() { BatchSize = 2 })).Code);
        using (var single = new TrainingFeed(whole, new() { BatchSize = 1 }))
            Assert.Empty(single.Take(0).Inputs[0].Value.Sizes);
        var text = new Samples(1, _ => new Sample([new("t", new Tensor([1], ["a"]))], Label.None));
        Assert.Equal("BML6083", Refused(() => new TrainingFeed(text, new() { BatchSize = 1 })).Code);
        FeedOptions images = new() { BatchSize = 1, Augmentations = [new Flip(), new Crop { Input = "image" }] };
        var unfit = Assert.Throws<DiagnosticException>(object? () => new TrainingFeed(Texts(3), images));
        Assert.Equal(["BML6084", "BML6084"], unfit.Diagnostics.Select(d => d.Code));
        var last = new Samples(1, _ => new Sample([new("x", Tensor.Of(new float[8 * 8 * 3], 8, 8, 3))], Label.None));
        Assert.Equal("BML6084", Refused(() => new TrainingFeed(last, new() { BatchSize = 1, Augmentations = [new Flip()] })).Code);
        Assert.Equal("BML6085", Refused(() => new TrainingFeed(Texts(3), new() { BatchSize = 1, Buckets = new() { Input = "id" } })).Code);
    }

    [Fact]
    public void What_the_reader_throws_reaches_who_takes_with_its_stack()
    {
        using var feed = new TrainingFeed(Images(8, i => _ = i == 5 ? throw new InvalidDataException("five") : i), new() { BatchSize = 4, Shuffle = false });
        Assert.Equal(0, feed.Take(0).Step);
        var error = Assert.Throws<InvalidDataException>(() => feed.Take(1));
        Assert.Contains(nameof(Images), error.StackTrace!, StringComparison.Ordinal);
        Assert.Throws<InvalidDataException>(() => feed.Take(2));
    }

    [Fact]
    public void Waiting_can_be_cancelled_and_taken_up_again()
    {
        using var gate = new ManualResetEventSlim(true);
        using var feed = new TrainingFeed(Images(8, _ => gate.Wait()), new() { BatchSize = 4 });
        gate.Reset();
        using var cancellation = new CancellationTokenSource(20);
        Assert.ThrowsAny<OperationCanceledException>(() => feed.Take(0, cancellation.Token));
        gate.Set();
        Assert.Equal(0, feed.Take(0).Step);
    }

    [Fact]
    public void The_next_batch_is_read_while_one_is_used_and_no_more_than_that()
    {
        var read = 0;
        using var feed = new TrainingFeed(Images(400, _ => Interlocked.Increment(ref read)), new() { BatchSize = 4 });
        feed.Take(0);
        Assert.True(SpinWait.SpinUntil(() => Volatile.Read(ref read) == 9, TimeSpan.FromSeconds(30))); // 1 to learn the shape, 4, 4 ahead
        Assert.False(SpinWait.SpinUntil(() => Volatile.Read(ref read) > 9, TimeSpan.FromMilliseconds(50)));
    }
}
