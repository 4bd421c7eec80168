using System.Numerics.Tensors;
using System.Runtime.Intrinsics;
using Build.ML.Calibration.Layers;
using Build.ML.Calibration.LinearAlgebra;
using Build.ML.Training.Random;

namespace Build.ML.LowRank.Cp;

/// <summary>
/// Canonical polyadic decomposition of a kernel W [T, S, H, V] (outputs, inputs, rows, columns): W ≈ Σ_r outputs[r, t]·inputs[r, s]·rows[r, h]·columns[r, v], by alternating least squares (Carroll
/// and Chang 1970; Kolda and Bader 2009, "Tensor Decompositions and Applications", §3.4). The factors of rows, columns and inputs have length 1 in each of the terms.
/// </summary>
internal sealed class CpDecomposition
{
    private const int MostRounds = 400;

    // Rounds end when the error falls by less than this part of ‖W‖ in ten of them.
    private const double Tolerance = 1e-5;

    // Added to the diagonal of the normal equations, over its mean: terms that cancel each other stay bounded.
    private const double Ridge = 1e-7;

    private readonly int _rank;
    private readonly int _positions;

    private CpDecomposition(int rank, int outputs, int inputs, int height, int width)
    {
        (_rank, _positions) = (rank, height * width);
        (Outputs, Inputs, Rows, Columns) = (new double[rank * outputs], new double[rank * inputs], new double[rank * height], new double[rank * width]);
    }

    /// <summary>[rank, T].</summary>
    public double[] Outputs { get; }

    /// <summary>[rank, S].</summary>
    public double[] Inputs { get; }

    /// <summary>[rank, H].</summary>
    public double[] Rows { get; }

    /// <summary>[rank, V].</summary>
    public double[] Columns { get; }

    /// <summary>‖W‖².</summary>
    public double SquaredNorm { get; private set; }

    /// <summary>‖W − approximation‖².</summary>
    public double SquaredError { get; private set; }

    /// <summary>Terms of zeros, for measuring.</summary>
    public static CpDecomposition Empty(WeightLayer layer, int rank) => new(rank, layer.Rows, (int)layer.Tensor.Sizes[1], (int)layer.Tensor.Sizes[2], (int)layer.Tensor.Sizes[3]);

    /// <summary>Decomposes a kernel.</summary>
    /// <param name="kernel">[T, S·H·V].</param>
    /// <param name="height">H.</param>
    /// <param name="width">V.</param>
    /// <param name="rank">Number of terms.</param>
    /// <param name="seed">Of the first guess.</param>
    /// <param name="threads">Cores to use; results do not depend on it.</param>
    /// <param name="cancellation">Stops between rounds.</param>
    public static CpDecomposition Of(FloatMatrix kernel, int height, int width, int rank, long seed, int threads, CancellationToken cancellation)
    {
        var cp = new CpDecomposition(rank, (int)kernel.Rows, (int)kernel.Columns / (height * width), height, width) { SquaredNorm = TruncatedSvd.SquaredNorm(kernel.View) };
        var random = new CounterRandom(seed);
        foreach (var factor in new[] { cp.Inputs, cp.Rows, cp.Columns })
        {
            for (var i = 0; i < factor.Length; i++)
            {
                factor[i] = random.Normal();
            }

            cp.Normalize(factor);
        }

        using var products = new FloatMatrix(rank, kernel.Columns);
        var error = double.PositiveInfinity;
        for (var round = 0; round < MostRounds; round++)
        {
            cancellation.ThrowIfCancellationRequested();
            cp.Round(kernel, products, threads);
            if (round % 10 == 9)
            {
                var now = Math.Sqrt(cp.SquaredError / Math.Max(cp.SquaredNorm, double.Epsilon));
                if (error - now < Tolerance)
                {
                    break;
                }

                error = now;
            }
        }

        return cp;
    }

    // Each factor in turn becomes the best for the others: the normal equations' left side is the element-wise product of the others' Gram matrices.
    private void Round(FloatMatrix kernel, FloatMatrix products, int threads)
    {
        Normalize(Inputs);
        Normalize(Rows);
        Normalize(Columns);
        Expand(products);
        using (var right = new FloatMatrix(_rank, kernel.Rows))
        {
            MatrixProduct.Add(right.View, products.View, kernel.View.Transposed, threads: threads);
            Widen(right, Outputs);
        }

        var (inputs, rows, columns) = (Gram(Inputs), Gram(Rows), Gram(Columns));
        Solve(Hadamard(inputs, rows, columns), Outputs);
        var outputs = Gram(Outputs);

        // What is left of the kernel when the outputs are summed up: [rank, S·H·V].
        Clear(products);
        using (var left = Narrow(Outputs, (int)kernel.Rows))
        {
            MatrixProduct.Add(products.View, left.View, kernel.View, threads: threads);
        }

        ContractPositions(products);
        Solve(Hadamard(outputs, rows, columns), Inputs);
        inputs = Gram(Inputs);
        var slices = ContractInputs(products); // [rank, H·V]
        Contract(slices, Columns, Rows, along: true);
        Solve(Hadamard(outputs, inputs, columns), Rows);
        rows = Gram(Rows);
        Contract(slices, Rows, Columns, along: false);
        var right2 = (double[])Columns.Clone();
        Solve(Hadamard(outputs, inputs, rows), Columns);

        // ‖W − Ŵ‖² = ‖W‖² − 2⟨W, Ŵ⟩ + ‖Ŵ‖².
        SquaredError = Math.Max(SquaredNorm - 2 * VectorDot(right2, Columns) + Sum(Hadamard(outputs, inputs, rows, Gram(Columns))), 0);
    }

    // inputs·rows·columns, term by term.
    private void Expand(FloatMatrix products)
    {
        var inputs = Inputs.Length / _rank;
        Span<double> pattern = new double[_positions];
        for (var r = 0; r < _rank; r++)
        {
            FillPattern(r, pattern);
            var row = products.Row(r);
            for (var s = 0; s < inputs; s++)
            {
                var part = row.Slice(s * _positions, _positions);
                for (var k = 0; k < part.Length; k++)
                {
                    part[k] = (float)(Inputs[r * inputs + s] * pattern[k]);
                }
            }
        }
    }

    private void ContractPositions(FloatMatrix products)
    {
        var inputs = Inputs.Length / _rank;
        Span<double> pattern = new double[_positions];
        for (var r = 0; r < _rank; r++)
        {
            FillPattern(r, pattern);
            var row = products.Row(r);
            for (var s = 0; s < inputs; s++)
            {
                var part = row.Slice(s * _positions, _positions);
                var sum = 0d;
                for (var k = 0; k < part.Length; k++)
                {
                    sum += part[k] * pattern[k];
                }

                Inputs[r * inputs + s] = sum;
            }
        }
    }

    // rows·columns of a term.
    private void FillPattern(int term, Span<double> pattern)
    {
        var (height, width) = (Rows.Length / _rank, Columns.Length / _rank);
        for (var k = 0; k < pattern.Length; k++)
        {
            pattern[k] = Rows[term * height + k / width] * Columns[term * width + k % width];
        }
    }

    private double[] ContractInputs(FloatMatrix products)
    {
        var inputs = Inputs.Length / _rank;
        var slices = new double[_rank * _positions];
        for (var r = 0; r < _rank; r++)
        {
            var row = products.Row(r);
            for (var s = 0; s < inputs; s++)
            {
                for (var k = 0; k < _positions; k++)
                {
                    slices[r * _positions + k] += row[s * _positions + k] * Inputs[r * inputs + s];
                }
            }
        }

        return slices;
    }

    // along: sums over columns into rows, else over rows into columns.
    private void Contract(double[] slices, double[] by, double[] into, bool along)
    {
        Array.Clear(into);
        var width = Columns.Length / _rank;
        var (bySize, intoSize) = (by.Length / _rank, into.Length / _rank);
        for (var r = 0; r < _rank; r++)
        {
            for (var k = 0; k < _positions; k++)
            {
                var (h, v) = (k / width, k % width);
                into[r * intoSize + (along ? h : v)] += slices[r * _positions + k] * by[r * bySize + (along ? v : h)];
            }
        }
    }

    // Products of all pairs of terms, [rank, rank].
    private double[] Gram(double[] factor)
    {
        var (gram, size) = (new double[_rank * _rank], factor.Length / _rank);
        for (var i = 0; i < _rank; i++)
        {
            var term = factor.AsSpan(i * size, size);
            for (var j = 0; j <= i; j++)
            {
                gram[i * _rank + j] = gram[j * _rank + i] = VectorDot(term, factor.AsSpan(j * size, size));
            }
        }

        return gram;
    }

    private static double[] Hadamard(params ReadOnlySpan<double[]> grams)
    {
        var product = (double[])grams[0].Clone();
        foreach (var gram in grams[1..])
        {
            TensorPrimitives.Multiply(product, gram, product);
        }

        return product;
    }

    // Γ·X = right side by Cholesky, Γ = L·Lᵀ; rows of X along memory.
    private void Solve(double[] gamma, double[] x)
    {
        var (n, size) = (_rank, x.Length / _rank);
        var ridge = double.Epsilon;
        for (var i = 0; i < n; i++)
        {
            ridge += Ridge * gamma[i * n + i] / n;
        }

        for (var i = 0; i < n; i++)
        {
            for (var j = 0; j <= i; j++)
            {
                var rest = gamma[i * n + j] - VectorDot(gamma.AsSpan(i * n, j), gamma.AsSpan(j * n, j));
                gamma[i * n + j] = i == j ? Math.Sqrt(Math.Max(rest + ridge, ridge)) : rest / gamma[j * n + j];
            }
        }

        for (var i = 0; i < n; i++)
        {
            var row = x.AsSpan(i * size, size);
            for (var j = 0; j < i; j++)
            {
                TensorPrimitives.FusedMultiplyAdd(x.AsSpan(j * size, size), -gamma[i * n + j], row, row);
            }

            TensorPrimitives.Divide(row, gamma[i * n + i], row);
        }

        for (var i = n - 1; i >= 0; i--)
        {
            var row = x.AsSpan(i * size, size);
            for (var j = i + 1; j < n; j++)
            {
                TensorPrimitives.FusedMultiplyAdd(x.AsSpan(j * size, size), -gamma[j * n + i], row, row);
            }

            TensorPrimitives.Divide(row, gamma[i * n + i], row);
        }
    }

    // Lengths go to the outputs.
    private void Normalize(double[] factor)
    {
        var (size, outputs) = (factor.Length / _rank, Outputs.Length / _rank);
        for (var r = 0; r < _rank; r++)
        {
            var part = factor.AsSpan(r * size, size);
            var length = Math.Sqrt(VectorDot(part, part));
            if (length > 0)
            {
                TensorPrimitives.Divide(part, length, part);
                var target = Outputs.AsSpan(r * outputs, outputs);
                TensorPrimitives.Multiply(target, length, target);
            }
        }
    }

    /// <summary>Makes lengths of all factors but the outputs' 1; the approximation stays the same.</summary>
    public CpDecomposition Normalized()
    {
        Normalize(Inputs);
        Normalize(Rows);
        Normalize(Columns);
        return this;
    }

    // One order whatever the processor's vectors.
    private static double VectorDot(ReadOnlySpan<double> a, ReadOnlySpan<double> b)
    {
        var sums = Vector256<double>.Zero;
        var i = 0;
        for (; i <= a.Length - 4; i += 4)
        {
            sums = Vector256.FusedMultiplyAdd(Vector256.Create(a[i..]), Vector256.Create(b[i..]), sums);
        }

        var first = sums[0];
        for (; i < a.Length; i++)
        {
            first = Math.FusedMultiplyAdd(a[i], b[i], first);
        }

        return first + sums[1] + (sums[2] + sums[3]);
    }

    private static double Sum(double[] values)
    {
        var sum = 0d;
        foreach (var value in values)
        {
            sum += value;
        }

        return sum;
    }

    private static void Clear(FloatMatrix matrix)
    {
        for (var row = 0; row < matrix.Rows; row++)
        {
            matrix.Row(row).Clear();
        }
    }

    private static void Widen(FloatMatrix from, double[] to)
    {
        for (var row = 0; row < from.Rows; row++)
        {
            TensorPrimitives.ConvertTruncating<float, double>(from.Row(row), to.AsSpan(row * (int)from.Columns, (int)from.Columns));
        }
    }

    private FloatMatrix Narrow(double[] from, int columns)
    {
        var matrix = new FloatMatrix(_rank, columns);
        for (var row = 0; row < _rank; row++)
        {
            TensorPrimitives.ConvertTruncating<double, float>(from.AsSpan(row * columns, columns), matrix.Row(row));
        }

        return matrix;
    }
}
