using System.Numerics.Tensors;

namespace Build.ML.Calibration.LinearAlgebra;

/// <summary>
/// Cholesky factorization of symmetric positive definite float32 matrices: G = UᵀU with U upper triangular, blocked and right-looking (Golub and Van Loan,
/// "Matrix Computations", §4.2), so that nearly all work is symmetric products.
/// </summary>
public static unsafe class Cholesky
{
    // Rows factored before the rest is updated by their product.
    private const int Panel = 256;

    // Columns of a panel that a thread solves at once; with the panel's factor they fit the second-level cache.
    private const int Strip = 512;

    /// <summary>Replaces the upper triangle of G by U; what is below the diagonal is neither read nor written.</summary>
    /// <param name="g">[N, N], rows contiguous.</param>
    /// <param name="threads">Cores to use; results do not depend on it.</param>
    /// <param name="cancellation">Stops between panels; G is then half done.</param>
    /// <returns>−1, or the first row whose pivot is not a positive finite number: G is not positive definite within float32, and what it holds is of no use.</returns>
    /// <exception cref="ArgumentException">G is not square, or its rows are not contiguous.</exception>
    public static nint Factor(MatrixView g, int threads = 1, CancellationToken cancellation = default)
    {
        if (g.Rows != g.Columns || g.ColumnStride != 1)
        {
            throw new ArgumentException($"A square matrix with contiguous rows is expected, got [{g.Rows}, {g.Columns}].", nameof(g));
        }

        using var diagonal = new FloatMatrix(Panel, Panel);
        for (nint first = 0; first < g.Rows; first += Panel)
        {
            cancellation.ThrowIfCancellationRequested();
            var rows = (int)nint.Min(Panel, g.Rows - first);
            var failed = FactorDiagonal(g.Block(first, first, rows, rows), diagonal);
            if (failed >= 0)
            {
                return first + failed;
            }

            var next = first + rows;
            var rest = g.Columns - next;
            if (rest > 0)
            {
                var panel = g.Block(first, next, rows, rest);
                SolveTransposed(diagonal, panel, threads);
                MatrixProduct.AddGram(g.Block(next, next, rest, rest), panel, -1, threads);
            }
        }

        return -1;
    }

    // Row i: u_ij = (g_ij − Σ_{k<i} u_ki·u_kj) / u_ii.
    private static int FactorDiagonal(MatrixView g, FloatMatrix u)
    {
        var size = (int)g.Rows;
        for (var i = 0; i < size; i++)
        {
            var row = u.Row(i)[i..size];
            new ReadOnlySpan<float>(g.Address(i, i), size - i).CopyTo(row);
            for (var k = 0; k < i; k++)
            {
                var above = u.Row(k);
                TensorPrimitives.FusedMultiplyAdd(above[i..size], -above[i], row, row);
            }

            if (!(row[0] > 0) || !float.IsFinite(row[0]))
            {
                return i;
            }

            TensorPrimitives.Divide(row, MathF.Sqrt(row[0]), row);
            row.CopyTo(new Span<float>(g.Address(i, i), size - i));
        }

        return -1;
    }

    // Panel ← U⁻ᵀ·Panel by forward substitution, strip by strip in a buffer of its own: rows of the matrix may lie a power of two apart, which caches do not bear.
    private static void SolveTransposed(FloatMatrix u, MatrixView panel, int threads)
    {
        var rows = (int)panel.Rows;
        var strips = (int)((panel.Columns + Strip - 1) / Strip);
        TaskQueue.Run(strips, threads, static () => new FloatMatrix(Panel, Strip), (buffer, strip) =>
        {
            var column = (nint)strip * Strip;
            var width = (int)nint.Min(Strip, panel.Columns - column);
            for (var i = 0; i < rows; i++)
            {
                var row = buffer.Row(i)[..width];
                var place = new Span<float>(panel.Address(i, column), width);
                place.CopyTo(row);
                for (var k = 0; k < i; k++)
                {
                    TensorPrimitives.FusedMultiplyAdd(buffer.Row(k)[..width], -u[k, i], row, row);
                }

                TensorPrimitives.Divide(row, u[i, i], row);
                row.CopyTo(place);
            }
        });
    }
}
