namespace Build.ML.Graph;

/// <summary>Facts about each <see cref="DataType"/>.</summary>
public static class DataTypes
{
    /// <summary>Bits of one element as stored; 0 for <see cref="DataType.String"/> and <see cref="DataType.Undefined"/>.</summary>
    public static int BitWidth(this DataType type) => type switch
    {
        DataType.UInt2 or DataType.Int2 => 2,
        DataType.UInt4 or DataType.Int4 or DataType.Float4E2M1 => 4,
        DataType.UInt8 or DataType.Int8 or DataType.Bool or DataType.Float8E4M3FN or DataType.Float8E4M3FNUZ
            or DataType.Float8E5M2 or DataType.Float8E5M2FNUZ or DataType.Float8E8M0 => 8,
        DataType.UInt16 or DataType.Int16 or DataType.Float16 or DataType.BFloat16 => 16,
        DataType.Float or DataType.Int32 or DataType.UInt32 => 32,
        DataType.Double or DataType.Int64 or DataType.UInt64 or DataType.Complex64 => 64,
        DataType.Complex128 => 128,
        _ => 0,
    };

    /// <summary>Whether the type is a floating-point type of any width (complex types are not).</summary>
    public static bool IsFloat(this DataType type) => type is DataType.Float or DataType.Double or DataType.Float16 or DataType.BFloat16
        or DataType.Float8E4M3FN or DataType.Float8E4M3FNUZ or DataType.Float8E5M2 or DataType.Float8E5M2FNUZ
        or DataType.Float8E8M0 or DataType.Float4E2M1;

    /// <summary>Whether the type is a signed or unsigned integer of any width (bool is not).</summary>
    public static bool IsInteger(this DataType type) => type is DataType.UInt8 or DataType.Int8 or DataType.UInt16 or DataType.Int16
        or DataType.Int32 or DataType.Int64 or DataType.UInt32 or DataType.UInt64 or DataType.UInt4 or DataType.Int4
        or DataType.UInt2 or DataType.Int2;

    /// <summary>
    /// Bytes that <paramref name="count"/> elements take, ⌈count·bits/8⌉. Sub-byte types pack over the whole tensor, not per row.
    /// </summary>
    /// <exception cref="OverflowException">The size does not fit 63 bits.</exception>
    public static long ByteLength(this DataType type, long count)
    {
        var bits = type.BitWidth();
        return bits >= 8 ? checked(count * (bits / 8)) : (long)(((UInt128)(ulong)count * (uint)bits + 7) / 8);
    }

    /// <summary>The CLR type whose size and meaning match one element, or null (sub-byte, float8, bfloat16 and strings have none).</summary>
    public static Type? ClrType(this DataType type) => type switch
    {
        DataType.Float => typeof(float),
        DataType.Double => typeof(double),
        DataType.Float16 => typeof(Half),
        DataType.Int8 => typeof(sbyte),
        DataType.UInt8 => typeof(byte),
        DataType.Int16 => typeof(short),
        DataType.UInt16 => typeof(ushort),
        DataType.Int32 => typeof(int),
        DataType.UInt32 => typeof(uint),
        DataType.Int64 => typeof(long),
        DataType.UInt64 => typeof(ulong),
        DataType.Bool => typeof(bool),
        _ => null,
    };

    /// <summary>The data type of a CLR element type.</summary>
    /// <exception cref="ArgumentException">No ONNX type corresponds to <typeparamref name="T"/>.</exception>
    public static DataType Of<T>()
        where T : unmanaged
    {
        foreach (var type in Enum.GetValues<DataType>())
        {
            if (type.ClrType() == typeof(T))
            {
                return type;
            }
        }

        throw new ArgumentException($"No ONNX data type corresponds to {typeof(T)}.", nameof(T));
    }

    /// <summary>The name ONNX uses in type strings, such as <c>float</c>, <c>int64</c>, <c>float8e4m3fn</c>.</summary>
    public static string OnnxName(this DataType type) => type switch
    {
        DataType.Float8E8M0 => "float8e8m0",
        _ => type.ToString().ToLowerInvariant(),
    };
}
