using System.Numerics.Tensors;

namespace Build.ML.Calibration.LinearAlgebra;

/// <summary>
/// The greatest singular values and vectors of a float32 matrix, by a random sketch and subspace iteration (Halko, Martinsson and Tropp 2011, "Finding Structure with Randomness",
/// algorithm 4.4): L = orth(Ω·Aᵀ), then L ← orth(orth(L·A)·Aᵀ) until the error of the approximation falls no further, and the small problem L·A exactly. Nearly all work is products.
/// Where most of the values are wanted the eigenvectors of the smaller of A·Aᵀ and Aᵀ·A are taken, in double. The same bits for any number of threads and on every processor.
/// </summary>
public static class TruncatedSvd
{
    // Beyond this share of all singular values a sketch saves nothing.
    private const double ExactShare = 0.8;

    private const int MostIterations = 12;

    /// <summary>Decomposes A.</summary>
    /// <param name="a">[M, N]; its rows or its columns are contiguous.</param>
    /// <param name="rank">Singular values wanted, 1 to min(M, N).</param>
    /// <param name="tolerance">
    /// Iteration ends when a round lessens the squared error of the approximation by less than this part of it. Default 0.001: the Frobenius error is then within a few thousandths of the
    /// least, mostly much nearer.
    /// </param>
    /// <param name="seed">Decides the sketch.</param>
    /// <param name="threads">Cores to use; results do not depend on it.</param>
    /// <param name="cancellation">Stops between steps.</param>
    /// <exception cref="ArgumentOutOfRangeException">The matrix has no such rank.</exception>
    /// <exception cref="ArithmeticException">The matrix holds NaN or infinity.</exception>
    public static SingularValues Of(
        MatrixView a, int rank, double tolerance = 1e-3, long seed = 0, int threads = 1, CancellationToken cancellation = default)
    {
        var least = (int)nint.Min(a.Rows, a.Columns);
        ArgumentOutOfRangeException.ThrowIfLessThan(rank, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(rank, least);
        var norm = SquaredNorm(a);
        if (!double.IsFinite(norm))
        {
            throw new ArithmeticException("The matrix is NaN or infinite.");
        }

        var sketch = (rank + Math.Max(rank / 8, 24) + 7) / 8 * 8;
        return sketch < ExactShare * least ? Iterate(a, rank, sketch, norm, tolerance, seed, threads, cancellation)
            : a.Rows <= a.Columns ? Exact(a, rank, norm, threads, cancellation)
            : Exact(a.Transposed, rank, norm, threads, cancellation) is var (values, left, right, _) ? new(values, right, left, norm) : throw new InvalidOperationException();
    }

    /// <summary>‖A‖², summed in double.</summary>
    public static double SquaredNorm(MatrixView a)
    {
        a = a.ColumnStride == 1 ? a : a.Transposed;
        var sum = 0d;
        Span<double> row = new double[a.Columns];
        for (nint i = 0; i < a.Rows; i++)
        {
            Widen(a, i, row);
            sum += VectorMath.Dot(row, row);
        }

        return sum;
    }

    private static SingularValues Iterate(
        MatrixView a, int rank, int sketch, double norm, double tolerance, long seed, int threads, CancellationToken cancellation)
    {
        using var left = new FloatMatrix(sketch, a.Rows);
        using var right = new FloatMatrix(sketch, a.Columns);
        Sketch(right, seed);
        var error = norm;
        for (var round = 0; ; round++)
        {
            Product(left, right, a.Transposed, threads);
            OrthonormalRows.Of(left, threads, cancellation);
            Product(right, left, a, threads);
            var gram = Gram(right.View, threads);
            var values = SymmetricEigen.Of((double[])gram.Clone(), sketch, 0, threads, cancellation).Values;
            var now = norm;
            for (var i = 0; i < rank; i++)
            {
                now -= Math.Max(values[i], 0);
            }

            // An error below 1e-6 of the norm is rounding.
            if (round == MostIterations || now <= 1e-12 * norm || (round > 0 && error - now <= tolerance * now))
            {
                return Finish(left, right, gram, rank, norm, threads, cancellation);
            }

            error = now;
            OrthonormalRows.Of(right, threads, cancellation);
        }
    }

    // L·A = B and B·Bᵀ = Z·Λ·Zᵀ: singular values √Λ, left vectors Zᵀ·L, right vectors the rows of Zᵀ·B.
    private static SingularValues Finish(FloatMatrix left, FloatMatrix projected, double[] gram, int rank, double norm, int threads, CancellationToken cancellation)
    {
        var eigen = SymmetricEigen.Of(gram, (int)left.Rows, rank, threads, cancellation);
        using var vectors = Narrow(eigen.Vectors, rank, (int)left.Rows);
        var (lefts, rights) = (new FloatMatrix(rank, left.Columns), new FloatMatrix(rank, projected.Columns));
        Product(lefts, vectors, left.View, threads);
        Product(rights, vectors, projected.View, threads);
        OrthonormalRows.Of(rights, threads, cancellation);
        return new(Values(eigen, rank), lefts, rights, norm);
    }

    // M ≤ N: A·Aᵀ = Z·Λ·Zᵀ.
    private static SingularValues Exact(MatrixView a, int rank, double norm, int threads, CancellationToken cancellation)
    {
        var eigen = SymmetricEigen.Of(Gram(a, threads), (int)a.Rows, rank, threads, cancellation);
        var left = Narrow(eigen.Vectors, rank, (int)a.Rows);
        var right = new FloatMatrix(rank, a.Columns);
        Product(right, left, a, threads);
        OrthonormalRows.Of(right, threads, cancellation);
        return new(Values(eigen, rank), left, right, norm);
    }

    private static float[] Values(SymmetricEigen eigen, int rank)
    {
        var values = new float[rank];
        for (var i = 0; i < rank; i++)
        {
            values[i] = (float)Math.Sqrt(Math.Max(eigen.Values[i], 0));
        }

        return values;
    }

    private static FloatMatrix Narrow(double[] elements, int rows, int columns)
    {
        var matrix = new FloatMatrix(rows, columns);
        for (var row = 0; row < rows; row++)
        {
            TensorPrimitives.ConvertTruncating<double, float>(elements.AsSpan(row * columns, columns), matrix.Row(row));
        }

        return matrix;
    }

    private static void Product(FloatMatrix c, FloatMatrix a, MatrixView b, int threads)
    {
        for (nint row = 0; row < c.Rows; row++)
        {
            c.Row(row).Clear();
        }

        MatrixProduct.Add(c.View, a.View, b, threads: threads);
    }

    // X·Xᵀ in double: squares of float32 singular values down to 1e-7 of the greatest are not lost.
    private static double[] Gram(MatrixView x, int threads)
    {
        var (rows, columns) = ((int)x.Rows, (int)x.Columns);
        var wide = new double[(long)rows * columns];
        Workers.For(rows, threads, i => Widen(x, i, wide.AsSpan(i * columns, columns)));
        var gram = new double[(long)rows * rows];
        const int Block = 8; // rows that stay in the first-level cache
        Workers.For((rows + Block - 1) / Block, threads, block =>
        {
            for (var j = block * Block; j < rows; j++)
            {
                var other = wide.AsSpan(j * columns, columns);
                for (var i = block * Block; i < Math.Min(rows, (block + 1) * Block) && i <= j; i++)
                {
                    gram[i * rows + j] = gram[j * rows + i] = VectorMath.Dot(wide.AsSpan(i * columns, columns), other);
                }
            }
        });
        return gram;
    }

    private static unsafe void Widen(MatrixView from, nint row, Span<double> to)
    {
        if (from.ColumnStride == 1)
        {
            TensorPrimitives.ConvertTruncating<float, double>(new ReadOnlySpan<float>(from.Address(row, 0), to.Length), to);
            return;
        }

        for (var j = 0; j < to.Length; j++)
        {
            to[j] = *from.Address(row, j);
        }
    }

    // Signs from bits of SplitMix64 (Steele, Lea and Flood 2014) at the element's position.
    private static void Sketch(FloatMatrix matrix, long seed)
    {
        var state = (ulong)seed;
        for (nint row = 0; row < matrix.Rows; row++)
        {
            foreach (ref var element in matrix.Row(row))
            {
                state += 0x9E3779B97F4A7C15;
                var z = (state ^ (state >> 30)) * 0xBF58476D1CE4E5B9;
                z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
                element = (long)(z ^ (z >> 31)) < 0 ? -1 : 1;
            }
        }
    }
}
