namespace Build.ML.Quantization.Rotation;

/// <summary>Random orthogonal matrices, row-major, R·Rᵀ = I.</summary>
internal static class OrthogonalMatrix
{
    /// <summary>
    /// A randomized Hadamard matrix diag(±1)·H/√n (QuaRot, Ashkboos et al. 2024, arXiv 2404.00456); where there is none of that size, the Kronecker product of the largest one that divides it with a
    /// random orthogonal matrix.
    /// </summary>
    /// <param name="size">1 or more.</param>
    /// <param name="keepsMean">
    /// Whether the vector of ones must be mapped to itself, so that means and thereby LayerNormalization commute with the rotation. Then it is H·diag(1, ±1, …)·Hᵀ/n.
    /// </param>
    /// <param name="random">Signs, and what else is random.</param>
    public static float[] Random(int size, bool keepsMean, Random random)
    {
        if (keepsMean)
        {
            var basis = Basis(size, random);
            var signs = Signs(size, random);
            signs[0] = 1;
            var result = new float[size * size];
            for (var i = 0; i < size; i++)
            {
                for (var j = 0; j < size; j++)
                {
                    var sum = 0d;
                    for (var k = 0; k < size; k++)
                    {
                        sum += basis[i * size + k] * signs[k] * basis[j * size + k];
                    }

                    result[i * size + j] = (float)sum;
                }
            }

            return result;
        }

        var matrix = Basis(size, random);
        var rows = Signs(size, random);
        return [.. matrix.Select((x, i) => (float)(x * rows[i / size]))];
    }

    /// <summary>The identity.</summary>
    public static float[] Identity(int size)
    {
        var identity = new float[size * size];
        for (var i = 0; i < size; i++)
        {
            identity[i * size + i] = 1;
        }

        return identity;
    }

    /// <summary>The nearest orthogonal matrix of one that is nearly so, in double precision: R ← R·(3·I − RᵀR)/2 (Newton and Schulz), or of a basis its Gram–Schmidt form.</summary>
    public static float[] Orthogonalized(float[] matrix, int size)
    {
        var r = Array.ConvertAll(matrix, x => (double)x);
        GramSchmidt(r, size);
        return Array.ConvertAll(r, x => (float)x);
    }

    // An orthogonal basis whose first column is constant.
    private static double[] Basis(int size, Random random)
    {
        var part = size;
        while (part > 1 && (size % part != 0 || HadamardMatrix.Of(part) is null))
        {
            part--;
        }

        var hadamard = HadamardMatrix.Of(part)!;
        var other = size / part;
        var rest = Dense(other, random);
        var basis = new double[size * size];
        for (var i = 0; i < size; i++)
        {
            for (var j = 0; j < size; j++)
            {
                basis[i * size + j] = hadamard[i / other * part + j / other] / Math.Sqrt(part) * rest[i % other * other + j % other];
            }
        }

        return basis;
    }

    private static double[] Dense(int size, Random random)
    {
        var columns = new double[size * size];
        for (var i = 0; i < columns.Length; i++)
        {
            // Rows of the transposed: the first is constant, the others normal (Box and Muller).
            columns[i] = i < size ? 1 : Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
        }

        GramSchmidt(columns, size);
        var matrix = new double[size * size];
        for (var i = 0; i < size; i++)
        {
            for (var j = 0; j < size; j++)
            {
                matrix[j * size + i] = columns[i * size + j];
            }
        }

        return matrix;
    }

    // Rows, twice for accuracy.
    private static void GramSchmidt(double[] rows, int size)
    {
        for (var pass = 0; pass < 2; pass++)
        {
            for (var i = 0; i < size; i++)
            {
                var row = rows.AsSpan(i * size, size);
                for (var j = 0; j < i; j++)
                {
                    var other = rows.AsSpan(j * size, size);
                    var dot = System.Numerics.Tensors.TensorPrimitives.Dot<double>(row, other);
                    System.Numerics.Tensors.TensorPrimitives.MultiplyAdd(other, -dot, row, row);
                }

                System.Numerics.Tensors.TensorPrimitives.Divide(row, Math.Sqrt(System.Numerics.Tensors.TensorPrimitives.SumOfSquares<double>(row)), row);
            }
        }
    }

    private static double[] Signs(int size, Random random) => [.. Enumerable.Range(0, size).Select(_ => random.Next(2) == 0 ? -1d : 1d)];
}
