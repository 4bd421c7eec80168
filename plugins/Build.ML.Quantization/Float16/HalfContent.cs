using System.Buffers;
using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using Build.ML.Graph.Tensors;
using Tensor = Build.ML.Graph.Tensors.Tensor;

namespace Build.ML.Quantization.Float16;

/// <summary>
/// A float tensor as binary16, converted piece by piece as it is written. Numbers beyond the greatest finite half, 65504, become that (infinities stay); numbers that would become 0
/// become the least half, ±2⁻²⁴, so that nothing turns infinite or divides by 0 that did not before.
/// </summary>
/// <param name="weight">Float tensor.</param>
internal sealed class HalfContent(Tensor weight) : TensorContent
{
    /// <summary>Greatest finite half.</summary>
    public const float Greatest = 65504;

    /// <summary>Least positive half, 2⁻²⁴.</summary>
    public const float Least = 5.9604645e-8f;

    private const int PieceLength = 1 << 16;

    /// <inheritdoc/>
    public override long Length => weight.Count * 2;

    /// <summary>How many numbers are beyond the range of halves, and how many are not 0 but nearer to it than half the least half.</summary>
    public (long Overflows, long Underflows) CountOutside()
    {
        long overflows = 0, underflows = 0;
        using var view = weight.Read<float>();
        foreach (var x in view.Span)
        {
            var magnitude = Math.Abs(x);
            overflows += magnitude > Greatest && float.IsFinite(x) ? 1 : 0;
            underflows += magnitude is > 0 and <= Least / 2 ? 1 : 0;
        }

        return (overflows, underflows);
    }

    /// <inheritdoc/>
    public override ContentView Open()
    {
        var halves = new Half[checked((int)weight.Count)];
        using var view = weight.Read<float>();
        for (var start = 0; start < halves.Length; start += PieceLength)
        {
            var length = Math.Min(PieceLength, halves.Length - start);
            Convert(view.Span.Slice(start, length), new float[length], halves.AsSpan(start, length));
        }

        return Tensor.Of(halves, halves.Length).Content.Open();
    }

    /// <inheritdoc/>
    public override void CopyTo(Stream destination, CancellationToken cancellation = default)
    {
        var scratch = ArrayPool<float>.Shared.Rent(PieceLength);
        var halves = new Half[PieceLength];
        try
        {
            using var view = weight.Read<float>();
            for (var start = 0; start < view.Span.Length; start += PieceLength)
            {
                cancellation.ThrowIfCancellationRequested();
                var length = Math.Min(PieceLength, view.Span.Length - start);
                Convert(view.Span.Slice(start, length), scratch.AsSpan(0, length), halves.AsSpan(0, length));
                destination.Write(MemoryMarshal.AsBytes(halves.AsSpan(0, length)));
            }
        }
        finally
        {
            ArrayPool<float>.Shared.Return(scratch);
        }
    }

    private static void Convert(ReadOnlySpan<float> from, Span<float> scratch, Span<Half> to)
    {
        for (var i = 0; i < from.Length; i++)
        {
            var x = from[i];
            var magnitude = Math.Abs(x);
            scratch[i] = magnitude > Greatest && float.IsFinite(x) ? MathF.CopySign(Greatest, x)
                : magnitude is > 0 and <= Least / 2 ? MathF.CopySign(Least, x)
                : x;
        }

        TensorPrimitives.ConvertToHalf(scratch, to);
    }
}
