using System.Runtime.InteropServices;
using Build.ML.Graph;
using Build.ML.Graph.Tensors;

namespace Build.ML.Cli.Models;

/// <summary>Elements of tensors of any common type as binary64, a piece at a time.</summary>
internal static class ElementReader
{
    /// <summary>Whether <see cref="Read"/> knows the type.</summary>
    public static bool CanRead(DataType type) => type is DataType.BFloat16 or DataType.Float or DataType.Double or DataType.Float16
        or DataType.Int8 or DataType.UInt8 or DataType.Int16 or DataType.UInt16 or DataType.Int32 or DataType.UInt32 or DataType.Int64
        or DataType.UInt64 or DataType.Bool;

    /// <summary>Reads elements.</summary>
    /// <param name="type">Their type.</param>
    /// <param name="content">The tensor's content.</param>
    /// <param name="first">First element, from 0.</param>
    /// <param name="elements">Receives them.</param>
    public static void Read(DataType type, ContentView content, long first, Span<double> elements)
    {
        var width = type.BitWidth() / 8;
        var bytes = content.Slice(first * width, elements.Length * width);
        switch (type)
        {
            case DataType.Float: Widen<float>(bytes, elements); break;
            case DataType.Double: Widen<double>(bytes, elements); break;
            case DataType.Float16: Widen<Half>(bytes, elements); break;
            case DataType.Int8: Widen<sbyte>(bytes, elements); break;
            case DataType.UInt8 or DataType.Bool: Widen<byte>(bytes, elements); break;
            case DataType.Int16: Widen<short>(bytes, elements); break;
            case DataType.UInt16: Widen<ushort>(bytes, elements); break;
            case DataType.Int32: Widen<int>(bytes, elements); break;
            case DataType.UInt32: Widen<uint>(bytes, elements); break;
            case DataType.Int64: Widen<long>(bytes, elements); break;
            case DataType.UInt64: Widen<ulong>(bytes, elements); break;
            case DataType.BFloat16:
                // The upper half of a binary32.
                var halves = MemoryMarshal.Cast<byte, ushort>(bytes);
                for (var i = 0; i < elements.Length; i++)
                {
                    elements[i] = BitConverter.UInt32BitsToSingle((uint)halves[i] << 16);
                }

                break;
            default: throw new ArgumentOutOfRangeException(nameof(type), type, "A type that cannot be read as numbers.");
        }
    }

    private static void Widen<T>(ReadOnlySpan<byte> bytes, Span<double> elements)
        where T : unmanaged, System.Numerics.INumberBase<T>
    {
        var values = MemoryMarshal.Cast<byte, T>(bytes);
        for (var i = 0; i < elements.Length; i++)
        {
            elements[i] = double.CreateTruncating(values[i]);
        }
    }
}
