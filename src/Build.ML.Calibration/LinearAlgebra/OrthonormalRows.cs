using System.Numerics.Tensors;

namespace Build.ML.Calibration.LinearAlgebra;

/// <summary>
/// Orthonormal rows that span what a matrix's rows span: the Q of Y = L·Q by blocked Householder reflections in compact WY form (Schreiber and Van Loan 1989), so that nearly all work is
/// products. Unlike Gram-Schmidt or Cholesky QR it gives orthonormal rows of any matrix, also where rows depend on each other.
/// </summary>
public static class OrthonormalRows
{
    private const int Panel = 32;

    /// <summary>Replaces Y by Q. Row i of Q spans with the rows before it what rows 0 to i of Y span, and points to row i's side.</summary>
    /// <param name="y">[R, N], R ≤ N.</param>
    /// <param name="threads">Cores to use; results do not depend on it.</param>
    /// <param name="cancellation">Stops between panels.</param>
    /// <exception cref="ArgumentException">There are more rows than columns.</exception>
    public static void Of(FloatMatrix y, int threads = 1, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(y);
        if (y.Rows > y.Columns)
        {
            throw new ArgumentException($"{y.Rows} rows of {y.Columns} numbers cannot be orthonormal.", nameof(y));
        }

        var (rows, columns) = ((int)y.Rows, (int)y.Columns);
        using var reflectors = new FloatMatrix(rows, columns);
        using var work = new FloatMatrix(rows, Panel);
        using var turned = new FloatMatrix(rows, Panel);
        var blocks = new float[(rows + Panel - 1) / Panel][];
        var isNegative = new bool[rows];
        for (var block = 0; block < blocks.Length; block++)
        {
            cancellation.ThrowIfCancellationRequested();
            var first = block * Panel;
            var count = Math.Min(Panel, rows - first);
            blocks[block] = Factor(y, reflectors, first, count, isNegative);
            Apply(y, first + count, reflectors, first, count, blocks[block], false, work, turned, threads);
        }

        for (var row = 0; row < rows; row++)
        {
            y.Row(row).Clear();
            y[row, row] = isNegative[row] ? -1 : 1;
        }

        for (var block = blocks.Length - 1; block >= 0; block--)
        {
            cancellation.ThrowIfCancellationRequested();
            var first = block * Panel;
            Apply(y, first, reflectors, first, Math.Min(Panel, rows - first), blocks[block], true, work, turned, threads);
        }
    }

    // Reflections of the panel's rows one by one; T with H₁·H₂·… = 1 − Vᵀ·T·V is upper triangular: t_jj = τ_j, column j above it −τ_j·T·(V·v_j).
    private static float[] Factor(FloatMatrix y, FloatMatrix reflectors, int first, int count, bool[] isNegative)
    {
        var t = new float[count * count];
        var products = new float[count];
        for (var j = 0; j < count; j++)
        {
            var at = first + j;
            var v = reflectors.Row(at);
            y.Row(at)[at..].CopyTo(v[at..]);
            var factor = Reflector(v[at..], out isNegative[at]);
            for (var i = j + 1; i < count && factor != 0; i++)
            {
                var row = y.Row(first + i)[at..];
                TensorPrimitives.FusedMultiplyAdd(v[at..], -factor * VectorMath.Dot(row, v[at..]), row, row);
            }

            for (var i = 0; i < j; i++)
            {
                products[i] = VectorMath.Dot(reflectors.Row(first + i)[at..], v[at..]);
            }

            for (var i = 0; i < j; i++)
            {
                var sum = 0f;
                for (var k = i; k < j; k++)
                {
                    sum = MathF.FusedMultiplyAdd(t[i * count + k], products[k], sum);
                }

                t[i * count + j] = -factor * sum;
            }

            t[j * count + j] = factor;
        }

        return t;
    }

    // x becomes v, which takes x to a multiple of the first unit vector, a negative one where said.
    private static float Reflector(Span<float> x, out bool isNegative)
    {
        var scale = TensorPrimitives.MaxMagnitude<float>(x);
        isNegative = false;
        if (scale == 0)
        {
            return 0;
        }

        TensorPrimitives.Divide(x, Math.Abs(scale), x);
        var rest = x.Length > 1 ? VectorMath.Dot(x[1..], x[1..]) : 0;
        isNegative = x[0] > 0;
        if (rest == 0)
        {
            isNegative = x[0] < 0;
            x.Clear();
            return 0;
        }

        var length = MathF.Sqrt(MathF.FusedMultiplyAdd(x[0], x[0], rest));
        x[0] += isNegative ? length : -length;
        return 2 / MathF.FusedMultiplyAdd(x[0], x[0], rest);
    }

    // Rows from start on ← rows·(1 − Vᵀ·T·V), or with T transposed.
    private static void Apply(
        FloatMatrix y, int start, FloatMatrix reflectors, int first, int count, float[] t, bool transposed, FloatMatrix work, FloatMatrix turned, int threads)
    {
        var rows = (int)y.Rows - start;
        if (rows <= 0)
        {
            return;
        }

        var width = y.Columns - first; // reflectors are zero before
        var target = y.View.Block(start, first, rows, width);
        var v = reflectors.View.Block(first, first, count, width);
        for (var row = 0; row < rows; row++)
        {
            work.Row(row).Clear();
            turned.Row(row).Clear();
        }

        MatrixProduct.Add(work.View.Block(0, 0, rows, count), target, v.Transposed, threads: threads);
        for (var row = 0; row < rows; row++)
        {
            var from = work.Row(row);
            var to = turned.Row(row);
            for (var i = 0; i < count; i++)
            {
                for (var j = i; j < count; j++)
                {
                    var (source, goal) = transposed ? (j, i) : (i, j);
                    to[goal] = MathF.FusedMultiplyAdd(from[source], t[i * count + j], to[goal]);
                }
            }
        }

        MatrixProduct.Add(target, turned.View.Block(0, 0, rows, count), v, -1, threads: threads);
    }
}
