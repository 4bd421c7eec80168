using System.Numerics.Tensors;

namespace Build.ML.Calibration.LinearAlgebra;

/// <summary>
/// Eigenvalues and eigenvectors of symmetric matrices in double: Householder reflections to tridiagonal form, then implicit QL steps with Wilkinson's shift (Golub and Van Loan, "Matrix
/// Computations", §8.3; Bowdler, Martin, Reinsch and Wilkinson 1968). Rotations of the QL steps are gathered and applied to strips of the vectors that fit the caches, and vectors are rows,
/// so that all work runs along memory. The bits do not depend on the number of threads.
/// </summary>
public sealed class SymmetricEigen
{
    // Rows of a matrix below which a reflection is not worth sharing among threads.
    private const int SharedRows = 192;

    // Columns of a strip and QL steps whose rotations are gathered for it.
    private const int Strip = 16;
    private const int Steps = 64;

    // Vectors that reflections are applied to together: they fit the second-level cache while all reflections pass by.
    private const int Group = 8;

    private SymmetricEigen(double[] values, double[] vectors) => (Values, Vectors) = (values, vectors);

    /// <summary>Eigenvalues, the greatest first.</summary>
    public double[] Values { get; }

    /// <summary>Eigenvectors as rows [as many as asked for, N], in the order of the values, each of length 1.</summary>
    public double[] Vectors { get; }

    /// <summary>Decomposes a matrix.</summary>
    /// <param name="matrix">[N, N] row-major, both triangles; overwritten.</param>
    /// <param name="size">N, at least 1.</param>
    /// <param name="vectors">Number of eigenvectors wanted, those of the greatest eigenvalues; 0 gives the eigenvalues in a small part of the time.</param>
    /// <param name="threads">Cores to use; results do not depend on it.</param>
    /// <param name="cancellation">Stops between steps.</param>
    /// <exception cref="ArgumentException">The sizes do not fit.</exception>
    /// <exception cref="ArithmeticException">The matrix holds NaN or infinity.</exception>
    public static SymmetricEigen Of(double[] matrix, int size, int vectors, int threads = 1, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(matrix);
        if (size < 1 || matrix.Length != (long)size * size || vectors < 0 || vectors > size)
        {
            throw new ArgumentException($"{matrix.Length} numbers are no matrix of {size} rows with {vectors} eigenvectors.", nameof(matrix));
        }

        var (diagonal, beside, factors) = (new double[size], new double[size], new double[size]);
        Tridiagonalize(matrix, size, diagonal, beside, factors, threads, cancellation);
        var rotated = vectors == 0 ? null : Identity(size);
        Diagonalize(diagonal, beside, size, rotated, threads, cancellation);
        var order = Enumerable.Range(0, size).ToArray();
        Array.Sort(order, (a, b) => diagonal[a] != diagonal[b] ? diagonal[b].CompareTo(diagonal[a]) : a.CompareTo(b));
        var found = new double[(long)vectors * size];
        for (var i = 0; i < vectors; i++)
        {
            rotated.AsSpan(order[i] * size, size).CopyTo(found.AsSpan(i * size, size));
        }

        Reflect(matrix, size, factors, found, vectors, threads);
        return new([.. order.Select(i => diagonal[i])], found);
    }

    // Step k takes what is right of the diagonal in row k, x, to (β, 0, …) by H = 1 − τ·v·vᵀ and the rest A to H·A·H = A − v·wᵀ − w·vᵀ with w = p − τ/2·(pᵀv)·v, p = τ·A·v. v stays in row k.
    // A row is updated and multiplied by the next v in one pass; that needs row k+1 a step ahead.
    private static void Tridiagonalize(double[] a, int n, double[] diagonal, double[] beside, double[] factors, int threads, CancellationToken cancellation)
    {
        var (p, v, w) = (new double[n], new double[n], new double[n]);
        for (var k = 0; k < n; k++)
        {
            cancellation.ThrowIfCancellationRequested();
            diagonal[k] = a[k * n + k];
            if (k == n - 1)
            {
                break;
            }

            var next = k + 1;
            var x = a.AsSpan(k * n + next, n - next);
            (factors[k], beside[k]) = Reflector(x);
            if (factors[k] == 0)
            {
                continue;
            }

            x.CopyTo(v.AsSpan(next));
            Rows(next, n, threads, i => p[i] = VectorMath.Dot(a.AsSpan(i * n + next, n - next), v.AsSpan(next, n - next)));
            var rest = v.AsSpan(next);
            var product = p.AsSpan(next);
            TensorPrimitives.Multiply(product, factors[k], product);
            TensorPrimitives.MultiplyAdd(rest, -0.5 * factors[k] * VectorMath.Dot(product, rest), product, w.AsSpan(next));
            Rows(next, n, threads, i =>
            {
                var row = a.AsSpan(i * n + next, n - next);
                TensorPrimitives.FusedMultiplyAdd(v.AsSpan(next, n - next), -w[i], row, row);
                TensorPrimitives.FusedMultiplyAdd(w.AsSpan(next, n - next), -v[i], row, row);
            });
        }
    }

    // x becomes v; τ and β with (1 − τ·v·vᵀ)·x = (β, 0, …). v is not scaled: τ = 2/vᵀv.
    private static (double Factor, double Beta) Reflector(Span<double> x)
    {
        var scale = 0d;
        foreach (var e in x)
        {
            scale = Math.Max(scale, Math.Abs(e));
        }

        if (!double.IsFinite(scale))
        {
            throw new ArithmeticException("The matrix is NaN or infinite.");
        }

        var (first, rest) = (x[0], 0d);
        if (x.Length > 1 && scale > 0)
        {
            TensorPrimitives.Divide(x, scale, x);
            rest = VectorMath.Dot(x[1..], x[1..]);
        }

        if (rest == 0)
        {
            x.Clear();
            return (0, first);
        }

        var length = Math.Sqrt(x[0] * x[0] + rest);
        var beta = x[0] > 0 ? -length : length;
        x[0] -= beta;
        return (2 / (x[0] * x[0] + rest), beta * scale);
    }

    // QL steps from the last eigenvalue of each unreduced block; a rotation of a step turns rows i and i + 1 of the vectors.
    private static void Diagonalize(double[] d, double[] e, int n, double[]? vectors, int threads, CancellationToken cancellation)
    {
        var steps = new List<RotationStep>(Steps);
        e[n - 1] = 0;
        var small = 0d; // what is nothing beside the matrix
        for (var i = 0; i < n; i++)
        {
            small = Math.Max(small, 1.1e-16 * (Math.Abs(d[i]) + Math.Abs(e[i])));
        }

        for (var l = 0; l < n; l++)
        {
            for (var tries = 0; ; tries++)
            {
                var m = l;
                while (m < n - 1 && Math.Abs(e[m]) > small)
                {
                    m++;
                }

                if (m == l)
                {
                    break;
                }

                if (tries == 300 || !double.IsFinite(d[l]))
                {
                    throw new ArithmeticException("The QL steps do not converge: the matrix is NaN or infinite.");
                }

                cancellation.ThrowIfCancellationRequested();
                var step = Step(d, e, l, m);
                if (vectors is not null)
                {
                    steps.Add(step);
                    if (steps.Count == Steps)
                    {
                        Apply(steps, vectors, n, threads);
                    }
                }
            }
        }

        if (vectors is not null)
        {
            Apply(steps, vectors, n, threads);
        }
    }

    private static RotationStep Step(double[] d, double[] e, int l, int m)
    {
        var g = (d[l + 1] - d[l]) / (2 * e[l]);
        var r = Hypotenuse(g, 1);
        g = d[m] - d[l] + e[l] / (g + Math.CopySign(r, g));
        double s = 1, c = 1, p = 0;
        var (cosines, sines) = (new double[m - l], new double[m - l]);
        for (var i = m - 1; i >= l; i--)
        {
            var (f, b) = (s * e[i], c * e[i]);
            r = Hypotenuse(f, g);
            e[i + 1] = r;
            if (r == 0)
            {
                d[i + 1] -= p;
                e[m] = 0;
                return new(i + 1, m, cosines, sines); // rotations below i + 1 were not made
            }

            (s, c) = (f / r, g / r);
            g = d[i + 1] - p;
            r = (d[i] - g) * s + 2 * c * b;
            p = s * r;
            d[i + 1] = g + p;
            g = c * r - b;
            (cosines[m - 1 - i], sines[m - 1 - i]) = (c, s);
        }

        d[l] -= p;
        e[l] = g;
        e[m] = 0;
        return new(l, m, cosines, sines);
    }

    private static double Hypotenuse(double a, double b)
    {
        var (large, small) = (Math.Max(Math.Abs(a), Math.Abs(b)), Math.Min(Math.Abs(a), Math.Abs(b)));
        return large == 0 ? 0 : large * Math.Sqrt(1 + small / large * (small / large));
    }

    private static void Apply(List<RotationStep> steps, double[] vectors, int n, int threads)
    {
        Workers.For((n + Strip - 1) / Strip, n < SharedRows ? 1 : threads, strip =>
        {
            var column = strip * Strip;
            var width = Math.Min(Strip, n - column);
            foreach (var step in steps)
            {
                for (var i = step.To - 1; i >= step.From; i--)
                {
                    var at = step.To - 1 - i;
                    VectorMath.Rotate(vectors.AsSpan(i * n + column, width), vectors.AsSpan((i + 1) * n + column, width), step.Cosines[at], step.Sines[at]);
                }
            }
        });
        steps.Clear();
    }

    // A vector x of the tridiagonal matrix is H₀·H₁·…·x of the matrix.
    private static void Reflect(double[] a, int n, double[] factors, double[] vectors, int count, int threads) =>
        Workers.For((count + Group - 1) / Group, threads, group =>
        {
            for (var k = n - 2; k >= 0; k--)
            {
                if (factors[k] == 0)
                {
                    continue;
                }

                var v = a.AsSpan(k * n + k + 1, n - k - 1);
                for (var i = group * Group; i < Math.Min(count, (group + 1) * Group); i++)
                {
                    var x = vectors.AsSpan(i * n + k + 1, n - k - 1);
                    TensorPrimitives.FusedMultiplyAdd(v, -factors[k] * VectorMath.Dot(v, x), x, x);
                }
            }
        });

    private static void Rows(int first, int end, int threads, Action<int> body)
    {
        if (threads <= 1 || end - first < SharedRows)
        {
            for (var i = first; i < end; i++)
            {
                body(i);
            }

            return;
        }

        var share = (end - first + threads - 1) / threads;
        Workers.For(threads, threads, part =>
        {
            for (var i = first + part * share; i < Math.Min(end, first + (part + 1) * share); i++)
            {
                body(i);
            }
        });
    }

    private static double[] Identity(int size)
    {
        var matrix = new double[(long)size * size];
        for (var i = 0; i < size; i++)
        {
            matrix[i * size + i] = 1;
        }

        return matrix;
    }

    /// <summary>The rotations of one QL step, from the last row upwards.</summary>
    private readonly record struct RotationStep(int From, int To, double[] Cosines, double[] Sines);
}
