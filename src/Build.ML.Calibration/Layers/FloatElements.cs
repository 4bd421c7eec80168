using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Build.ML.Graph;

namespace Build.ML.Calibration.Layers;

/// <summary>Numbers of the types that weights have, as binary32 and back.</summary>
public static class FloatElements
{
    /// <summary>Whether a type is one of them: Float, Float16, BFloat16.</summary>
    public static bool Has(DataType type) => type is DataType.Float or DataType.Float16 or DataType.BFloat16;

    /// <summary>Widens; exact.</summary>
    public static void Read(DataType type, ReadOnlySpan<byte> bytes, Span<float> destination)
    {
        switch (type)
        {
            case DataType.Float:
                MemoryMarshal.Cast<byte, float>(bytes).CopyTo(destination);
                break;
            case DataType.Float16:
                TensorPrimitives.ConvertToSingle(MemoryMarshal.Cast<byte, Half>(bytes), destination);
                break;
            default:
                Widen(MemoryMarshal.Cast<byte, ushort>(bytes), MemoryMarshal.Cast<float, uint>(destination));
                break;
        }
    }

    /// <summary>Rounds to the nearest number of the type, ties to even.</summary>
    public static void Write(DataType type, ReadOnlySpan<float> numbers, Span<byte> destination)
    {
        switch (type)
        {
            case DataType.Float:
                MemoryMarshal.AsBytes(numbers).CopyTo(destination);
                break;
            case DataType.Float16:
                TensorPrimitives.ConvertToHalf(numbers, MemoryMarshal.Cast<byte, Half>(destination));
                break;
            default:
                Narrow(MemoryMarshal.Cast<float, uint>(numbers), MemoryMarshal.Cast<byte, ushort>(destination));
                break;
        }
    }

    /// <summary>bfloat16 is the upper half of a binary32.</summary>
    private static void Widen(ReadOnlySpan<ushort> from, Span<uint> to)
    {
        var i = 0;
        for (; i + 16 <= from.Length; i += 16)
        {
            var (low, high) = Vector256.Widen(Vector256.Create(from.Slice(i, 16)));
            Vector256.ShiftLeft(low, 16).CopyTo(to[i..]);
            Vector256.ShiftLeft(high, 16).CopyTo(to[(i + 8)..]);
        }

        for (; i < from.Length; i++)
        {
            to[i] = (uint)from[i] << 16;
        }
    }

    /// <summary>Adds half a unit of the last place kept, less one where that place is even, and cuts; NaN stays NaN.</summary>
    private static void Narrow(ReadOnlySpan<uint> from, Span<ushort> to)
    {
        for (var i = 0; i < from.Length; i++)
        {
            var x = from[i];
            to[i] = (x & 0x7FFFFFFF) > 0x7F800000 ? (ushort)(x >> 16 | 0x40) : (ushort)((x + 0x7FFF + (x >> 16 & 1)) >> 16);
        }
    }
}
