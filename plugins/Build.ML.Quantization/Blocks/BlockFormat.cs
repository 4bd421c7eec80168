using System.Runtime.CompilerServices;
using Build.ML.Graph;

namespace Build.ML.Quantization.Blocks;

/// <summary>
/// How a matrix [rows, columns] is stored in few bits: each run of <paramref name="BlockSize"/> columns of a row has one scale and one zero point, and a weight is
/// (code − zero point)·scale. Symmetric: the zero point is <see cref="Middle"/> everywhere and not stored; the scale carries a sign, so that the block's extreme gets the
/// code that has no counterpart (−8 of 4 bits): absmax/8 instead of absmax/7 or 7.5, which is the finer step.
/// </summary>
/// <param name="Bits">2, 3, 4 or 8; 3 bits are stored in 4, the upper codes unused.</param>
/// <param name="BlockSize">Columns that share a scale: a power of two from 16 to 256, or 0 for the whole row.</param>
/// <param name="Symmetric">Whether zero is the same code in all blocks.</param>
internal sealed record BlockFormat(int Bits, int BlockSize, bool Symmetric)
{
    /// <summary>Scales of lesser magnitude are none: below it 1/scale is infinite.</summary>
    public const float LeastScale = 1.2e-38f;

    /// <summary>The least magnitude of a Float16.</summary>
    public const float LeastHalf = 5.9604645e-8f;

    /// <summary>Type that scales are stored in, Float or Float16: that of the activations. Fitted scales are numbers of this type.</summary>
    public DataType ScaleType { get; init; } = DataType.Float;

    /// <summary>Bits that a code takes in the file.</summary>
    public int StorageBits => Bits == 3 ? 4 : Bits;

    /// <summary>Number of codes in use.</summary>
    public int Levels => 1 << Bits;

    /// <summary>Code of 0 where the format is symmetric; what ONNX Runtime assumes where no zero points are stored.</summary>
    public int Middle => 1 << (StorageBits - 1);

    /// <summary>Least code in use.</summary>
    public int Least => Symmetric ? Middle - Levels / 2 : 0;

    /// <summary>Greatest code in use.</summary>
    public int Greatest => Least + Levels - 1;

    /// <summary>Columns of one block of a matrix with that many; the last block of a row may be shorter.</summary>
    public int Block(int columns) => BlockSize == 0 ? columns : Math.Min(BlockSize, columns);

    /// <summary>Blocks of a row.</summary>
    public int Blocks(int columns) => columns == 0 ? 0 : (columns + Block(columns) - 1) / Block(columns);

    /// <summary>Bits per weight, scales and zero points included, of a row with that many columns.</summary>
    public double EffectiveBits(int columns) =>
        StorageBits + (ScaleType.BitWidth() + (Symmetric ? 0 : StorageBits)) * (double)Blocks(columns) / Math.Max(columns, 1);

    /// <summary>The nearest number that a scale can be, never 0: what underflows takes the least magnitude there is, and a scale that stands for nothing but zeros is 1.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public float Storable(double scale)
    {
        if (Math.Abs(scale) < LeastScale)
        {
            return 1; // nothing but zeros, or as good as
        }

        if (ScaleType != DataType.Float16)
        {
            return (float)scale;
        }

        var half = (float)(Half)(float)scale;
        return half == 0 ? (float)Math.CopySign(LeastHalf, scale) : Math.Clamp(half, -65504f, 65504f);
    }
}
