using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Tensors;
using Build.ML.Quantization.Weights;

namespace Build.ML.Quantization.Tests;

public sealed class WeightQuantizerTests
{
    // Sizes that leave remainders after the vector loops, and one that spans several chunks.
    public static TheoryData<long[], int, QuantizedType, Granularity, bool> Cases()
    {
        var cases = new TheoryData<long[], int, QuantizedType, Granularity, bool>();
        foreach (var (sizes, axis) in new (long[], int)[] { ([5, 7], 1), ([33, 65], 0), ([700, 401], 1), ([16, 3, 3, 3], 0), ([6, 5, 3, 3], 1) })
        {
            foreach (var type in new[] { QuantizedType.S8, QuantizedType.U8 })
            {
                cases.Add(sizes, axis, type, Granularity.PerChannel, false);
                cases.Add(sizes, axis, type, Granularity.PerTensor, false);
                cases.Add(sizes, axis, type, Granularity.PerChannel, true);
            }
        }

        return cases;
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Every_weight_is_within_half_a_step_of_what_its_integer_stands_for(
        long[] sizes, int axis, QuantizedType type, Granularity granularity, bool reduceRange)
    {
        var weight = Numbers.Tensor(7, 0.3, sizes);
        var quantizer = new WeightQuantizer(new(type, granularity, reduceRange), 2);
        var scales = quantizer.Fit("w", weight, axis);
        var integers = quantizer.Quantized(weight, scales).ToArray<byte>();
        var values = weight.ToArray<float>();
        double signal = 0, noise = 0;
        for (var i = 0; i < values.Length; i++)
        {
            var channel = scales.Scales.Length == 1 ? 0 : ChannelOf(i, sizes, axis);
            int q = type == QuantizedType.S8 ? (sbyte)integers[i] : integers[i];
            Assert.InRange(q, scales.Least, scales.Greatest);
            var error = values[i] - (q - scales.ZeroPoints[channel]) * scales.Scales[channel];

            // Half a step, and the rounding of a division done as a product with the reciprocal; u8 also rounds its zero point, which can cost the ends another half step.
            var bound = scales.Scales[channel] * (type == QuantizedType.S8 ? 0.5001f : 1.0001f);
            Assert.InRange(Math.Abs(error), 0, bound);
            signal += (double)values[i] * values[i];
            noise += (double)error * error;
        }

        // 0.05 dB: sums in single precision over at most 2,048 numbers.
        Assert.Equal(10 * Math.Log10(signal / noise), scales.SqnrDecibels, 0.05);
    }

    [Fact]
    public void The_greatest_magnitude_of_each_channel_maps_to_127()
    {
        var weight = Numbers.Tensor(8, 1, 4, 100);
        var quantizer = new WeightQuantizer(new(QuantizedType.S8, Granularity.PerChannel, false), 1);
        var integers = quantizer.Quantized(weight, quantizer.Fit("w", weight, 0)).ToArray<sbyte>();
        for (var channel = 0; channel < 4; channel++)
        {
            Assert.Equal(127, integers.Skip(channel * 100).Take(100).Max(q => Math.Abs((int)q)));
        }
    }

    [Fact]
    public void Bytes_do_not_depend_on_threads_nor_on_being_streamed()
    {
        var weight = Numbers.Tensor(9, 1, 1000, 517);
        byte[]? expected = null;
        foreach (var threads in new[] { 1, 2, 3 })
        {
            var quantizer = new WeightQuantizer(new(QuantizedType.S8, Granularity.PerChannel, false), threads);
            var scales = quantizer.Fit("w", weight, 1);
            var tensor = quantizer.Quantized(weight, scales);
            using var stream = new MemoryStream();
            tensor.Content.CopyTo(stream);
            expected ??= stream.ToArray();
            Assert.Equal(expected, stream.ToArray());
            Assert.Equal(expected, tensor.ToArray<byte>());
        }
    }

    [Fact]
    public void A_transposed_weight_holds_the_same_integers_at_exchanged_places()
    {
        var weight = Numbers.Tensor(10, 1, 130, 71);
        var quantizer = new WeightQuantizer(new(QuantizedType.S8, Granularity.PerChannel, false), 2);
        var scales = quantizer.Fit("w", weight, 0);
        var straight = quantizer.Quantized(weight, scales).ToArray<sbyte>();
        var transposed = quantizer.QuantizedTransposed(weight, scales);
        Assert.Equal<long>([71, 130], transposed.Sizes.ToArray());
        var integers = transposed.ToArray<sbyte>();
        for (var row = 0; row < 130; row++)
        {
            for (var column = 0; column < 71; column++)
            {
                Assert.Equal(straight[row * 71 + column], integers[column * 130 + row]);
            }
        }
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    public void A_weight_that_is_not_finite_is_an_error_that_names_it(float broken)
    {
        var values = new float[100];
        values[63] = broken;
        var quantizer = new WeightQuantizer(new(QuantizedType.S8, Granularity.PerTensor, false), 1);
        var error = Assert.Throws<DiagnosticException>(() => quantizer.Fit("layer.weight", Tensor.Of(values, 10, 10), 0));
        Assert.Equal("BML5403", error.Diagnostics[0].Code);
        Assert.Contains("layer.weight", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_channel_of_zeros_stays_zero()
    {
        var quantizer = new WeightQuantizer(new(QuantizedType.S8, Granularity.PerChannel, false), 1);
        var weight = Tensor.Of(new float[64], 2, 32);
        var scales = quantizer.Fit("w", weight, 0);
        Assert.All(scales.Scales, s => Assert.True(s > 0));
        Assert.All(quantizer.Quantized(weight, scales).ToArray<sbyte>(), q => Assert.Equal(0, q));
    }

    private static int ChannelOf(int index, long[] sizes, int axis)
    {
        var inner = sizes.Skip(axis + 1).Aggregate(1L, (a, b) => a * b);
        return (int)(index / inner % sizes[axis]);
    }
}
