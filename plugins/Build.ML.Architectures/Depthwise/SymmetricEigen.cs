namespace Build.ML.Architectures.Depthwise;

/// <summary>
/// Eigenvalues and eigenvectors of small symmetric matrices by rotations in the plane of two rows that make their common element 0, over
/// and over (Jacobi 1846; Golub, Van
/// Loan: Matrix computations, section 8.5): accurate, and the same bits everywhere.
/// </summary>
static class SymmetricEigen
{
    // Convergence is quadratic: matrices of 49 rows take about 8 rounds.
    private const int MaximumRounds = 60;

    /// <summary>All eigenvalues, greatest first, each with its vector of length 1 whose greatest element is positive, as a row.</summary>
    /// <param name="matrix">Row-major, symmetric; destroyed.</param>
    /// <param name="size">Rows.</param>
    internal static (double[] Values, double[] Vectors) Of(double[] matrix, int size)
    {
        var turned = new double[size * size];
        for (var i = 0; i < size; i++)
        {
            turned[(i * size) + i] = 1;
        }

        for (var round = 0; round < MaximumRounds && Rotate(matrix, turned, size); round++)
        {
        }

        var order = Enumerable.Range(0, size).OrderByDescending(i => matrix[(i * size) + i]).ToArray();
        var (values, vectors) = (new double[size], new double[size * size]);
        for (var r = 0; r < size; r++)
        {
            values[r] = matrix[(order[r] * size) + order[r]];
            var vector = vectors.AsSpan(r * size, size);
            turned.AsSpan(order[r] * size, size).CopyTo(vector);
            Orient(vector);
        }

        return (values, vectors);
    }

    // One round over all pairs; false: all elements off the diagonal were 0 to double precision.
    private static bool Rotate(double[] a, double[] turned, int size)
    {
        var changed = false;
        for (var p = 0; p < size; p++)
        {
            for (var q = p + 1; q < size; q++)
            {
                var (off, first, second) = (a[(p * size) + q], a[(p * size) + p], a[(q * size) + q]);
                if (Math.Abs(off) <= 1e-17 * Math.Sqrt(Math.Abs(first * second)) || Math.Abs(off) < 1e-300)
                {
                    continue;
                }

                changed = true;
                // tan of the angle: the smaller root of t² + 2·theta·t − 1 = 0.
                var theta = (second - first) / (2 * off);
                var tangent = (theta >= 0 ? 1 : -1) / (Math.Abs(theta) + Math.Sqrt((theta * theta) + 1));
                var cosine = 1 / Math.Sqrt((tangent * tangent) + 1);
                Turn(a, turned, size, p, q, cosine, tangent * cosine);
            }
        }

        return changed;
    }

    private static void Turn(double[] a, double[] turned, int size, int p, int q, double cosine, double sine)
    {
        for (var i = 0; i < size; i++)
        {
            var (x, y) = (a[(i * size) + p], a[(i * size) + q]);
            (a[(i * size) + p], a[(i * size) + q]) = ((cosine * x) - (sine * y), (sine * x) + (cosine * y));
        }

        for (var i = 0; i < size; i++)
        {
            var (x, y) = (a[(p * size) + i], a[(q * size) + i]);
            (a[(p * size) + i], a[(q * size) + i]) = ((cosine * x) - (sine * y), (sine * x) + (cosine * y));
            (x, y) = (turned[(p * size) + i], turned[(q * size) + i]);
            (turned[(p * size) + i], turned[(q * size) + i]) = ((cosine * x) - (sine * y), (sine * x) + (cosine * y));
        }
    }

    private static void Orient(Span<double> vector)
    {
        var greatest = 0.0;
        foreach (var element in vector)
        {
            greatest = Math.Abs(element) > Math.Abs(greatest) ? element : greatest;
        }

        for (var i = 0; i < vector.Length && greatest < 0; i++)
        {
            vector[i] = -vector[i];
        }
    }
}
