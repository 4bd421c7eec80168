using System.Runtime.InteropServices;
using Build.ML.Calibration.LinearAlgebra;

namespace Build.ML.Calibration.Hessians;

/// <summary>
/// A layer's dampened Hessian, columns in the order in which they are rounded, factored as H + λI = R·Rᵀ with R upper triangular. The error of a row is then
/// |(w−ŵ)·R|², a sum over columns j of ((Σ_{i&lt;j} (w_i−ŵ_i)·R_ij/R_jj + w_j) − ŵ_j)²·R_jj², so that what the columns before have done is made up for by rounding the
/// inner bracket: GPTQ's update (Frantar et al. 2022, arXiv 2210.17323, §3.3, with R⁻¹ the Cholesky factor of the inverse) without any inverse, seen as Babai's nearest plane
/// (Chen et al. 2025, arXiv 2507.18553). Holds M = R·diag(R)⁻¹ packed by 8 columns, half a matrix.
/// </summary>
public sealed unsafe class HessianFactor : IDisposable
{
    private const int Attempts = 12;

    private readonly int[] _order;
    private readonly float[] _diagonal;
    private readonly bool[] _isDead;
    private float* _panels;

    private HessianFactor(int[] order, FloatMatrix u, double dampening, bool[] isDead)
    {
        (_order, Dampening, _isDead) = (order, dampening, isDead);
        Padded = (order.Length + MicroKernel.Rows - 1) / MicroKernel.Rows * MicroKernel.Rows;
        _diagonal = new float[Padded];
        for (var j = 0; j < order.Length; j++)
        {
            _diagonal[j] = u[order.Length - 1 - j, order.Length - 1 - j];
        }

        _panels = (float*)NativeMemory.AlignedAlloc((nuint)Offset(Padded) * sizeof(float), 64);
        for (var column = 0; column < Padded; column += MicroKernel.Rows)
        {
            PackPanel(u, column);
        }
    }

    /// <summary>Releases the memory of a factor that was not disposed.</summary>
    ~HessianFactor() => Release();

    /// <summary>Columns of the layer, rounded up to whole panels; those beyond are zero.</summary>
    public int Padded { get; }

    /// <summary>The column of the weight that is rounded as the j-th.</summary>
    public ReadOnlySpan<int> Order => _order;

    /// <summary>λ over the mean of the diagonal that was needed.</summary>
    public double Dampening { get; }

    /// <summary>Inputs that were 0 on all calibration data; nothing makes up for what happens to their weights, nor need it.</summary>
    public int DeadColumns => _isDead.Count(d => d);

    /// <summary>R_jj.</summary>
    public ReadOnlySpan<float> Diagonal => _diagonal;

    /// <summary>Bytes of memory that factoring takes beside the Hessian.</summary>
    public static long BytesFor(long columns) => (columns * columns + Offset(columns)) * sizeof(float);

    /// <summary>Factors a Hessian; where it is not positive definite within float32, with ten times the dampening until it is.</summary>
    /// <param name="hessian">[K, K], symmetric, both triangles; not changed.</param>
    /// <param name="dampening">λ over the mean of the diagonal; 0 or more.</param>
    /// <param name="actOrder">Whether columns are rounded by descending diagonal.</param>
    /// <param name="threads">Cores to use; results do not depend on it.</param>
    /// <param name="cancellation">Stops.</param>
    /// <exception cref="ArithmeticException">It holds NaN or infinite numbers.</exception>
    public static HessianFactor Of(FloatMatrix hessian, double dampening, bool actOrder, int threads, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(hessian);
        var order = Enumerable.Range(0, (int)hessian.Rows).ToArray();
        return Of(hessian, dampening, actOrder ? [.. order.OrderByDescending(i => hessian[i, i])] : order, threads, cancellation);
    }

    /// <summary>As the other overload, in a given order.</summary>
    /// <param name="hessian">[K, K], symmetric, both triangles; not changed.</param>
    /// <param name="dampening">λ over the mean of the diagonal; 0 or more.</param>
    /// <param name="order">The K columns in the order in which they are fixed.</param>
    /// <param name="threads">Cores to use; results do not depend on it.</param>
    /// <param name="cancellation">Stops.</param>
    /// <exception cref="ArithmeticException">It holds NaN or infinite numbers.</exception>
    public static HessianFactor Of(FloatMatrix hessian, double dampening, int[] order, int threads, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(hessian);
        ArgumentNullException.ThrowIfNull(order);
        var size = (int)hessian.Rows;
        var isDead = new bool[size];
        var sum = 0d;
        for (var i = 0; i < size; i++)
        {
            isDead[i] = hessian[i, i] == 0;
            sum += hessian[i, i];
        }

        var dead = isDead.Count(d => d);
        var mean = dead == size ? 1 : sum / (size - dead);
        using var g = new FloatMatrix(size, size);
        for (var attempt = 0; attempt < Attempts; attempt++)
        {
            Dampened(hessian, order, (float)(dampening * mean), (float)mean, g, threads);
            if (Cholesky.Factor(g.View, threads, cancellation) < 0)
            {
                return new HessianFactor(order, g, dampening, isDead);
            }

            dampening = Math.Max(dampening * 10, 1e-4);
        }

        throw new ArithmeticException($"A Hessian of {size} columns is not positive definite even with {dampening:0.#} times its mean diagonal added: it is not finite.");
    }

    /// <summary>Whether the j-th column was 0 on all calibration data.</summary>
    /// <param name="column">In the order of fixing.</param>
    public bool IsDead(int column) => _isDead[_order[column]];

    /// <summary>For k from 0 to <paramref name="column"/> + 8: M_kj of the 8 columns from <paramref name="column"/> on.</summary>
    /// <param name="column">A multiple of 8.</param>
    public float* Panel(int column) => _panels + Offset(column);

    /// <inheritdoc/>
    public void Dispose()
    {
        Release();
        GC.SuppressFinalize(this);
    }

    // Panels before: of 8, 16, 24 … rows of 8.
    private static long Offset(long column) => column * (column + MicroKernel.Rows) / 2;

    // The last column to be rounded first: Cholesky then yields R from the right lower corner on.
    private static void Dampened(FloatMatrix hessian, int[] order, float lambda, float instead, FloatMatrix g, int threads) =>
        Parallel.For(0, order.Length, new ParallelOptions { MaxDegreeOfParallelism = Math.Max(threads, 1) }, i =>
        {
            var last = order.Length - 1;
            var from = hessian.Row(order[last - i]);
            var to = g.Row(i);
            for (var j = i; j < to.Length; j++)
            {
                to[j] = from[order[last - j]];
            }

            to[i] = (to[i] == 0 ? instead : to[i]) + lambda;
        });

    // M_kj = R_kj / R_jj with R_kj = U[n−1−j, n−1−k].
    private void PackPanel(FloatMatrix u, int column)
    {
        var last = _order.Length - 1;
        var panel = Panel(column);
        new Span<float>(panel, (column + MicroKernel.Rows) * MicroKernel.Rows).Clear();
        for (var j = column; j < Math.Min(column + MicroKernel.Rows, _order.Length); j++)
        {
            var row = u.Row(last - j);
            var inverse = 1 / row[last - j];
            var target = panel + (j - column);
            for (var k = 0; k <= j; k++)
            {
                target[(nint)k * MicroKernel.Rows] = row[last - k] * inverse;
            }
        }
    }

    private void Release()
    {
        if (_panels is not null)
        {
            NativeMemory.AlignedFree(_panels);
            _panels = null;
        }
    }
}
