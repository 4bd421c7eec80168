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

    /// <summary>Least integer of the type's part with this many bits, 2 to 8.</summary>
    public static int Minimum(this QuantizedType type, int bits) => type == QuantizedType.U8 ? 0 : -(1 << (bits - 1));

    /// <summary>Greatest integer of the type's part with this many bits, 2 to 8.</summary>
    public static int Maximum(this QuantizedType type, int bits) => type == QuantizedType.U8 ? (1 << bits) - 1 : (1 << (bits - 1)) - 1;
}
