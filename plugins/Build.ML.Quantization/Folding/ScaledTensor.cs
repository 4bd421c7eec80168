using System.Numerics.Tensors;
using Build.ML.Calibration.Layers;
using Build.ML.Graph;
using Build.ML.Graph.Tensors;
using Tensor = Build.ML.Graph.Tensors.Tensor;

namespace Build.ML.Quantization.Folding;

/// <summary>Constants with factors in them, computed when asked for.</summary>
internal static class ScaledTensor
{
    /// <summary>Each element times the factor of its channel.</summary>
    /// <param name="tensor">Float, float16 or bfloat16.</param>
    /// <param name="grid">The channel of each element, by numpy's broadcasting; a constant of fewer elements is repeated to the grid's sizes.</param>
    /// <param name="factors">One a channel.</param>
    public static Tensor Of(Tensor tensor, ChannelGrid grid, float[] factors)
    {
        var sizes = Broadcast(tensor.Sizes.AsSpan(), grid);
        var count = sizes.Aggregate(1L, (a, b) => a * b);
        var width = tensor.Type.BitWidth() / 8;
        return new Tensor(tensor.Type, sizes, new ComputedContent(count * width, () =>
        {
            var numbers = GC.AllocateUninitializedArray<float>(checked((int)tensor.Count));
            using (var view = tensor.Read<byte>())
            {
                FloatElements.Read(tensor.Type, view.Span, numbers);
            }

            if (count != tensor.Count)
            {
                numbers = Repeated(numbers, tensor.Sizes.AsSpan(), sizes);
            }

            Multiply(numbers, sizes, grid, factors);
            var bytes = GC.AllocateUninitializedArray<byte>(checked((int)(count * width)));
            FloatElements.Write(tensor.Type, numbers, bytes);
            return bytes;
        }));
    }

    // Runs of elements after the grid's last varying dimension share a factor; whole periods of the grid are one vector product.
    private static void Multiply(float[] numbers, ReadOnlySpan<long> sizes, ChannelGrid grid, float[] factors)
    {
        var own = new int[Math.Min(sizes.Length, grid.Rank)];
        for (var i = 0; i < own.Length; i++)
        {
            own[i] = (int)sizes[sizes.Length - own.Length + i];
        }

        var trimmed = grid.Trimmed();
        var run = 1;
        var varying = own.Length;
        while (varying > 0 && trimmed.SizeFromEnd(own.Length - varying) == 1)
        {
            run *= own[--varying];
        }

        var labels = new ChannelGrid(trimmed.Rank > own.Length - varying ? trimmed.Sizes[..(trimmed.Rank - (own.Length - varying))] : [1], trimmed.Labels)
            .BroadcastTo(own.AsSpan(0, varying))?.Labels ?? trimmed.Labels;
        var vector = Array.ConvertAll(labels, l => l < 0 ? 1f : factors[l]);
        var period = vector.Length * run;
        for (var start = 0; start < numbers.Length; start += period)
        {
            var part = numbers.AsSpan(start, period);
            if (run == 1)
            {
                TensorPrimitives.Multiply(part, vector, part);
                continue;
            }

            for (var i = 0; i < vector.Length; i++)
            {
                var piece = part.Slice(i * run, run);
                TensorPrimitives.Multiply(piece, vector[i], piece);
            }
        }
    }

    private static long[] Broadcast(ReadOnlySpan<long> sizes, ChannelGrid grid)
    {
        var trimmed = grid.Trimmed();
        var result = new long[Math.Max(sizes.Length, trimmed.Rank)];
        for (var inner = 0; inner < result.Length; inner++)
        {
            result[^(inner + 1)] = Math.Max(inner < sizes.Length ? sizes[sizes.Length - 1 - inner] : 1, trimmed.SizeFromEnd(inner));
        }

        return result;
    }

    private static float[] Repeated(float[] numbers, ReadOnlySpan<long> sizes, long[] to)
    {
        var places = new ChannelGrid([.. sizes.ToArray().Select(s => (int)s)], [.. Enumerable.Range(0, numbers.Length)]);
        int[] all = [.. to.Select(s => (int)s)];
        return Array.ConvertAll(places.BroadcastTo(all)!.Labels, i => numbers[i]);
    }
}
