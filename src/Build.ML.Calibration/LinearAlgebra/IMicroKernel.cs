namespace Build.ML.Calibration.LinearAlgebra;

/// <summary>
/// The innermost product, held in registers: C[8, N] += A[8, depth]·B[depth, N]. Every implementation sums each element by fused multiply-adds from
/// 0 in the order of depth and then adds the sum to C, so all of them, on every processor, give the same bits.
/// </summary>
internal unsafe interface IMicroKernel
{
    /// <summary>Rows of C that every kernel makes at once: 8.</summary>
    const int Rows = 8;

    /// <summary>Columns of C that this kernel makes at once.</summary>
    static abstract int Columns { get; }

    /// <summary>C += A·B.</summary>
    /// <param name="depth">Number of products an element sums.</param>
    /// <param name="a">Packed: for each of depth, 8 elements of a column of A.</param>
    /// <param name="b">Packed: for each of depth, <see cref="Columns"/> elements of a row of B.</param>
    /// <param name="c">Element (0, 0) of C.</param>
    /// <param name="stride">Elements between the rows of C.</param>
    static abstract void Multiply(nint depth, float* a, float* b, float* c, nint stride);
}
