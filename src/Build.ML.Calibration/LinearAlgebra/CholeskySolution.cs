namespace Build.ML.Calibration.LinearAlgebra;

/// <summary>
/// Solves systems with a matrix that <see cref="Cholesky"/> factored, b ← b·(UᵀU)⁻¹ for many rows b at once: forward and back substitution by blocks of columns (Golub and Van Loan,
/// "Matrix Computations", §3.1), so that nearly all work is products; a diagonal block is applied by its inverse.
/// </summary>
public static class CholeskySolution
{
    private const int Panel = 256;

    /// <summary>Replaces each row b by b·(UᵀU)⁻¹.</summary>
    /// <param name="u">[N, N], what <see cref="Cholesky.Factor"/> left; only its upper triangle is read.</param>
    /// <param name="rows">[R, N], rows contiguous.</param>
    /// <param name="threads">Cores to use; results do not depend on it.</param>
    /// <param name="cancellation">Stops between panels; the rows are then half done.</param>
    /// <exception cref="ArgumentException">The sizes do not fit.</exception>
    public static void SolveRows(MatrixView u, MatrixView rows, int threads = 1, CancellationToken cancellation = default)
    {
        if (u.Rows != u.Columns || rows.Columns != u.Rows || rows.ColumnStride != 1)
        {
            throw new ArgumentException($"Rows of [{rows.Rows}, {rows.Columns}], contiguous, do not fit a factor of [{u.Rows}, {u.Columns}].", nameof(rows));
        }

        var size = u.Rows;
        var panels = (size + Panel - 1) / Panel;
        using var inverse = new FloatMatrix(Panel, Panel);
        using var solved = new FloatMatrix(rows.Rows, Panel);
        for (nint panel = 0; panel < panels; panel++) // y·U = b, from the first column on
        {
            cancellation.ThrowIfCancellationRequested();
            var first = panel * Panel;
            var width = nint.Min(Panel, size - first);
            var part = rows.Block(0, first, rows.Rows, width);
            if (first > 0)
            {
                MatrixProduct.Add(part, rows.Block(0, 0, rows.Rows, first), u.Block(0, first, first, width), -1, threads: threads);
            }

            Multiply(part, Invert(u.Block(first, first, width, width), inverse), solved, threads);
        }

        for (var panel = panels - 1; panel >= 0; panel--) // x·Uᵀ = y, from the last column on
        {
            cancellation.ThrowIfCancellationRequested();
            var first = panel * Panel;
            var width = nint.Min(Panel, size - first);
            var part = rows.Block(0, first, rows.Rows, width);
            var next = first + width;
            if (next < size)
            {
                MatrixProduct.Add(part, rows.Block(0, next, rows.Rows, size - next), u.Block(first, next, width, size - next).Transposed, -1, threads: threads);
            }

            Multiply(part, Invert(u.Block(first, first, width, width), inverse).Transposed, solved, threads);
        }
    }

    // Column j of U⁻¹: x_j = 1/u_jj, x_i = −Σ_{i<k≤j} u_ik·x_k / u_ii upwards.
    private static MatrixView Invert(MatrixView u, FloatMatrix inverse)
    {
        var size = (int)u.Rows;
        var column = new double[size];
        for (var j = 0; j < size; j++)
        {
            for (var i = size - 1; i >= 0; i--)
            {
                var sum = i == j ? 1.0 : 0.0;
                for (var k = i + 1; k <= j; k++)
                {
                    sum -= u[i, k] * column[k];
                }

                column[i] = i > j ? 0 : sum / u[i, i];
                inverse[i, j] = (float)column[i];
            }
        }

        return inverse.View.Block(0, 0, size, size);
    }

    private static unsafe void Multiply(MatrixView part, MatrixView by, FloatMatrix solved, int threads)
    {
        var result = solved.View.Block(0, 0, part.Rows, part.Columns);
        for (nint row = 0; row < part.Rows; row++)
        {
            solved.Row(row).Clear();
        }

        MatrixProduct.Add(result, part, by, threads: threads);
        for (nint row = 0; row < part.Rows; row++)
        {
            new ReadOnlySpan<float>(result.Address(row, 0), (int)part.Columns).CopyTo(new Span<float>(part.Address(row, 0), (int)part.Columns));
        }
    }
}
