namespace Build.ML.Graph;

/// <summary>Element types of tensors; values are those of <c>TensorProto.DataType</c> (ONNX IR specification).</summary>
public enum DataType
{
    /// <summary>Not set.</summary>
    Undefined = 0,

    /// <summary>IEEE 754 binary32.</summary>
    Float = 1,

    /// <summary>Unsigned 8-bit integer.</summary>
    UInt8 = 2,

    /// <summary>Signed 8-bit integer.</summary>
    Int8 = 3,

    /// <summary>Unsigned 16-bit integer.</summary>
    UInt16 = 4,

    /// <summary>Signed 16-bit integer.</summary>
    Int16 = 5,

    /// <summary>Signed 32-bit integer.</summary>
    Int32 = 6,

    /// <summary>Signed 64-bit integer.</summary>
    Int64 = 7,

    /// <summary>UTF-8 string of any length.</summary>
    String = 8,

    /// <summary>Boolean, one byte each.</summary>
    Bool = 9,

    /// <summary>IEEE 754 binary16.</summary>
    Float16 = 10,

    /// <summary>IEEE 754 binary64.</summary>
    Double = 11,

    /// <summary>Unsigned 32-bit integer.</summary>
    UInt32 = 12,

    /// <summary>Unsigned 64-bit integer.</summary>
    UInt64 = 13,

    /// <summary>Two binary32: real, imaginary.</summary>
    Complex64 = 14,

    /// <summary>Two binary64: real, imaginary.</summary>
    Complex128 = 15,

    /// <summary>The upper 16 bits of a binary32.</summary>
    BFloat16 = 16,

    /// <summary>8-bit float, 4 exponent and 3 mantissa bits, no infinities.</summary>
    Float8E4M3FN = 17,

    /// <summary>As <see cref="Float8E4M3FN"/> with one zero and bias 8.</summary>
    Float8E4M3FNUZ = 18,

    /// <summary>8-bit float, 5 exponent and 2 mantissa bits, IEEE-like.</summary>
    Float8E5M2 = 19,

    /// <summary>As <see cref="Float8E5M2"/> with one zero, no infinities.</summary>
    Float8E5M2FNUZ = 20,

    /// <summary>Unsigned 4-bit integer, two per byte, the first in the low nibble.</summary>
    UInt4 = 21,

    /// <summary>Signed 4-bit integer, two per byte, the first in the low nibble.</summary>
    Int4 = 22,

    /// <summary>4-bit float, 2 exponent and 1 mantissa bit, two per byte.</summary>
    Float4E2M1 = 23,

    /// <summary>8-bit float that is a power of two only (microscaling scales).</summary>
    Float8E8M0 = 24,

    /// <summary>Unsigned 2-bit integer, four per byte.</summary>
    UInt2 = 25,

    /// <summary>Signed 2-bit integer, four per byte.</summary>
    Int2 = 26,
}
