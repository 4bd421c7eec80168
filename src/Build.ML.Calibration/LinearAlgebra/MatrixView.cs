namespace Build.ML.Calibration.LinearAlgebra;

/// <summary>A window on a float32 matrix: element (i, j) is at <c>data[i·rowStride + j·columnStride]</c>. It does not own the memory.</summary>
/// <param name="data">Element (0, 0).</param>
/// <param name="rows">Number of rows.</param>
/// <param name="columns">Number of columns.</param>
/// <param name="rowStride">Elements between rows.</param>
/// <param name="columnStride">Elements between columns.</param>
public readonly unsafe struct MatrixView(float* data, nint rows, nint columns, nint rowStride, nint columnStride)
{
    /// <summary>Number of rows.</summary>
    public nint Rows { get; } = rows;

    /// <summary>Number of columns.</summary>
    public nint Columns { get; } = columns;

    /// <summary>Elements between rows.</summary>
    public nint RowStride { get; } = rowStride;

    /// <summary>Elements between columns.</summary>
    public nint ColumnStride { get; } = columnStride;

    /// <summary>Rows and columns exchanged; nothing is moved.</summary>
    public MatrixView Transposed => new(data, Columns, Rows, ColumnStride, RowStride);

    /// <summary>One element; indices are checked.</summary>
    public ref float this[nint row, nint column]
    {
        get
        {
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((nuint)row, (nuint)Rows);
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((nuint)column, (nuint)Columns);
            return ref *Address(row, column);
        }
    }

    /// <summary>A rectangle of it.</summary>
    public MatrixView Block(nint row, nint column, nint rowCount, nint columnCount) =>
        new(Address(row, column), rowCount, columnCount, RowStride, ColumnStride);

    /// <summary>Where an element is; indices are not checked.</summary>
    public float* Address(nint row, nint column) => data + (row * RowStride) + (column * ColumnStride);
}
