using System.Runtime.Intrinsics;

namespace Build.ML.Calibration.LinearAlgebra;

/// <summary>The micro-kernel for this processor, for algorithms that keep their data packed: C[8, N] += A[8, depth]·B[depth, N], the same bits on every processor.</summary>
public static unsafe class MicroKernel
{
    /// <summary>Rows of C: 8.</summary>
    public const int Rows = IMicroKernel.Rows;

    /// <summary>Columns of C: 32 or 8, a multiple of the processor's vectors.</summary>
    public static int Columns => Vector512.IsHardwareAccelerated ? MicroKernel512.Columns
        : Vector256.IsHardwareAccelerated ? MicroKernel256.Columns
        : MicroKernel128.Columns;

    /// <summary>C += A·B.</summary>
    /// <param name="depth">Number of products an element sums.</param>
    /// <param name="a">Packed: for each of depth, <see cref="Rows"/> elements of a column of A.</param>
    /// <param name="b">Packed: for each of depth, <see cref="Columns"/> elements of a row of B.</param>
    /// <param name="c">Element (0, 0) of C.</param>
    /// <param name="stride">Elements between the rows of C.</param>
    public static void Multiply(nint depth, float* a, float* b, float* c, nint stride)
    {
        if (Vector512.IsHardwareAccelerated)
        {
            MicroKernel512.Multiply(depth, a, b, c, stride);
        }
        else if (Vector256.IsHardwareAccelerated)
        {
            MicroKernel256.Multiply(depth, a, b, c, stride);
        }
        else
        {
            MicroKernel128.Multiply(depth, a, b, c, stride);
        }
    }
}
