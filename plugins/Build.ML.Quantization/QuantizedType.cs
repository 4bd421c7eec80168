using Build.ML.Graph;

namespace Build.ML.Quantization;

/// <summary>An 8-bit integer type that real numbers are stored in.</summary>
public enum QuantizedType
{
    /// <summary>Signed, −128 to 127.</summary>
    S8,

    /// <summary>Unsigned, 0 to 255.</summary>
    U8,
}

/// <summary>Facts about <see cref="QuantizedType"/>.</summary>
internal static class QuantizedTypes
{
    /// <summary>The ONNX element type.</summary>
    public static DataType ElementType(this QuantizedType type) => type == QuantizedType.S8 ? DataType.Int8 : DataType.UInt8;

    /// <summary>Least integer of the type, or of its 7-bit part when the range is reduced.</summary>
    public static int Minimum(this QuantizedType type, bool reduceRange) => type == QuantizedType.U8 ? 0 : reduceRange ? -64 : -128;

    /// <summary>Greatest integer of the type, or of its 7-bit part when the range is reduced.</summary>
    public static int Maximum(this QuantizedType type, bool reduceRange) =>
        type == QuantizedType.U8 ? (reduceRange ? 127 : 255) : reduceRange ? 63 : 127;
}
