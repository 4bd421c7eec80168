using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Build.ML.Graph;

namespace Build.ML.Quantization.Blocks;

/// <summary>A matrix in a <see cref="BlockFormat"/>, in memory: what a solver yields for one layer and <see cref="BlockWriter"/> stores.</summary>
internal sealed class BlockQuantizedMatrix
{
    /// <summary>A matrix to be filled: codes are not initialized.</summary>
    public BlockQuantizedMatrix(int rows, int columns, BlockFormat format)
    {
        (Rows, Columns, Format) = (rows, columns, format);
        Blocks = format.Blocks(columns);
        Codes = GC.AllocateUninitializedArray<byte>(checked(rows * columns));
        Scales = new float[rows * Blocks];
        ZeroPoints = format.Symmetric ? [] : new byte[rows * Blocks];
    }

    /// <summary>Output channels.</summary>
    public int Rows { get; }

    /// <summary>Inputs summed over.</summary>
    public int Columns { get; }

    /// <summary>How it is stored.</summary>
    public BlockFormat Format { get; }

    /// <summary>Blocks of a row.</summary>
    public int Blocks { get; }

    /// <summary>[Rows, Columns]: one code a byte, from <see cref="BlockFormat.Least"/> to <see cref="BlockFormat.Greatest"/>.</summary>
    public byte[] Codes { get; }

    /// <summary>[Rows, Blocks], not 0; negative ones are allowed.</summary>
    public float[] Scales { get; }

    /// <summary>[Rows, Blocks], empty where the format is symmetric.</summary>
    public byte[] ZeroPoints { get; }

    /// <summary>The codes of a row.</summary>
    public Span<byte> CodesOf(int row) => Codes.AsSpan(row * Columns, Columns);

    /// <summary>The scales of a row.</summary>
    public Span<float> ScalesOf(int row) => Scales.AsSpan(row * Blocks, Blocks);

    /// <summary>The zero points of a row; empty where the format is symmetric.</summary>
    public Span<byte> ZeroPointsOf(int row) => Format.Symmetric ? [] : ZeroPoints.AsSpan(row * Blocks, Blocks);

    /// <summary>What the codes of a row stand for.</summary>
    /// <param name="row">From 0.</param>
    /// <param name="destination"><see cref="Columns"/> numbers.</param>
    public void Dequantize(int row, Span<float> destination) =>
        BlockKernels.DequantizeRow(Format, CodesOf(row), ScalesOf(row), ZeroPointsOf(row), destination);

    /// <summary>Writes all of it, codes packed, for a checkpoint.</summary>
    public void Write(Stream destination)
    {
        Span<int> header = [Rows, Columns, Format.Bits, Format.BlockSize, Format.Symmetric ? 1 : 0, (int)Format.ScaleType];
        Span<byte> number = stackalloc byte[sizeof(int)];
        foreach (var value in header)
        {
            BinaryPrimitives.WriteInt32LittleEndian(number, value);
            destination.Write(number);
        }

        var packed = new byte[(Columns * Format.StorageBits + 7) / 8];
        for (var row = 0; row < Rows; row++)
        {
            BlockKernels.Pack(CodesOf(row), Format.StorageBits, packed);
            destination.Write(packed);
        }

        destination.Write(MemoryMarshal.AsBytes(Scales.AsSpan()));
        destination.Write(ZeroPoints);
    }

    /// <summary>Reads what <see cref="Write"/> wrote.</summary>
    /// <exception cref="EndOfStreamException">The stream ends before the matrix does.</exception>
    public static BlockQuantizedMatrix Read(Stream source)
    {
        Span<byte> bytes = stackalloc byte[6 * sizeof(int)];
        source.ReadExactly(bytes);
        var header = new int[6];
        for (var i = 0; i < header.Length; i++)
        {
            header[i] = BinaryPrimitives.ReadInt32LittleEndian(bytes[(i * sizeof(int))..]);
        }

        var format = new BlockFormat(header[2], header[3], header[4] != 0) { ScaleType = (DataType)header[5] };
        var matrix = new BlockQuantizedMatrix(header[0], header[1], format);
        var packed = new byte[(matrix.Columns * format.StorageBits + 7) / 8];
        for (var row = 0; row < matrix.Rows; row++)
        {
            source.ReadExactly(packed);
            BlockKernels.Unpack(packed, format.StorageBits, matrix.CodesOf(row));
        }

        source.ReadExactly(MemoryMarshal.AsBytes(matrix.Scales.AsSpan()));
        source.ReadExactly(matrix.ZeroPoints);
        return matrix;
    }
}
