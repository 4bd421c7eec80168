using System.Runtime.InteropServices;
using Build.ML.Graph.Tensors;

namespace Build.ML.Graph.Evaluation;

/// <summary>Moves elements of any type of 1, 2, 4, 8 or 16 bytes by index.</summary>
static class Elements
{
    /// <summary>Bytes of one element; 0 for strings and types of less than a byte, which are not moved.</summary>
    public static int Width(DataType type) => type.BitWidth() / 8;

    /// <summary>Strides in elements of a row-major tensor.</summary>
    public static long[] Strides(ReadOnlySpan<long> sizes)
    {
        var strides = new long[sizes.Length];
        long stride = 1;
        for (var i = sizes.Length - 1; i >= 0; i--)
        {
            strides[i] = stride;
            stride = checked(stride * sizes[i]);
        }

        return strides;
    }

    /// <summary>
    /// The tensor of the given sizes whose element (i, j, …) is the source's at <paramref name="offset"/> + i·strides[0] + j·strides[1] + …: transposes,
    /// slices and broadcasts are all of this form.
    /// </summary>
    public static Tensor? View(Tensor source, ReadOnlySpan<long> sizes, ReadOnlySpan<long> strides, long offset = 0)
    {
        var width = Width(source.Type);
        if (width == 0)
        {
            return null;
        }

        var bytes = new byte[checked(Count(sizes) * width)];
        using var view = source.Read<byte>();
        if (bytes.Length > 0)
        {
            switch (width)
            {
                case 1: Walk<byte>(view.Span, bytes, sizes, strides, offset); break;
                case 2: Walk<ushort>(view.Span, bytes, sizes, strides, offset); break;
                case 4: Walk<uint>(view.Span, bytes, sizes, strides, offset); break;
                case 8: Walk<ulong>(view.Span, bytes, sizes, strides, offset); break;
                default: Walk<UInt128>(view.Span, bytes, sizes, strides, offset); break;
            }
        }

        return Tensor.OfBytes(source.Type, bytes, sizes);
    }

    /// <summary>Number of elements.</summary>
    public static long Count(ReadOnlySpan<long> sizes)
    {
        long count = 1;
        foreach (var size in sizes)
        {
            count = checked(count * size);
        }

        return count;
    }

    /// <summary>Advances a multi-dimensional index over all but the last dimension; false after the last.</summary>
    public static bool Next(Span<long> index, ReadOnlySpan<long> sizes)
    {
        for (var i = index.Length - 1; i >= 0; i--)
        {
            if (++index[i] < sizes[i])
            {
                return true;
            }

            index[i] = 0;
        }

        return false;
    }

    private static void Walk<T>(ReadOnlySpan<byte> from, Span<byte> to, ReadOnlySpan<long> sizes, ReadOnlySpan<long> strides, long offset)
        where T : unmanaged
    {
        var source = MemoryMarshal.Cast<byte, T>(from);
        var target = MemoryMarshal.Cast<byte, T>(to);
        if (sizes.Length == 0)
        {
            target[0] = source[(int)offset];
            return;
        }

        var (inner, step) = (sizes[^1], strides[^1]);
        var outer = new long[sizes.Length - 1];
        var at = 0;
        do
        {
            var start = offset;
            for (var i = 0; i < outer.Length; i++)
            {
                start += outer[i] * strides[i];
            }

            if (step == 1)
            {
                source.Slice((int)start, (int)inner).CopyTo(target[at..]);
            }
            else
            {
                for (var i = 0; i < inner; i++)
                {
                    target[at + i] = source[(int)(start + i * step)];
                }
            }

            at += (int)inner;
        }
        while (Next(outer, sizes[..^1]));
    }
}
