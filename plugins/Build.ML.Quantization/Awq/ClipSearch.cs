using System.Numerics.Tensors;
using Build.ML.Calibration.Layers;
using Build.ML.Calibration.LinearAlgebra;
using Build.ML.Quantization.Blocks;

namespace Build.ML.Quantization.Awq;

/// <summary>
/// Rounds a layer with the scale of each block searched on the layer's output error: the range is shrunk (clipped) or widened by factors of a grid, symmetric scales of either
/// sign, zero points one lower and higher. AWQ judges a block's own contribution to the output; here it is judged together with what the other blocks of the row already do,
/// ‖Σ_b E_b·x_b‖² = tr(E·H·Eᵀ)/2, block after block, in sweeps that never raise the error: coordinate descent.
/// </summary>
internal sealed class ClipSearch
{
    private const int Chunk = 16;
    private const float Widest = 1.05f;

    private readonly float[] _factors;
    private readonly int _sweeps;
    private readonly int _refinements;
    private readonly int _threads;

    /// <summary>A search.</summary>
    /// <param name="bits">Bits of a weight: fewer bits clip more.</param>
    /// <param name="steps">Factors tried.</param>
    /// <param name="sweeps">How often all blocks of a row are gone through.</param>
    /// <param name="refinements">Sweeps of <see cref="CodeDescent"/> after that.</param>
    /// <param name="threads">Cores to use; results do not depend on it.</param>
    public ClipSearch(int bits, int steps, int sweeps, int refinements, int threads)
    {
        var narrowest = bits switch { 8 => 0.85f, 4 => 0.55f, 3 => 0.45f, _ => 0.3f };
        _factors = [.. Enumerable.Range(0, steps).Select(i => Widest - (Widest - narrowest) * i / Math.Max(steps - 1, 1))];
        (_sweeps, _refinements, _threads) = (sweeps, refinements, threads);
    }

    /// <summary>Rounds a layer.</summary>
    /// <param name="layer">A matrix product.</param>
    /// <param name="format">How it is stored, adapted to the layer.</param>
    /// <param name="hessian">2/n·Σ x·xᵀ of its inputs.</param>
    /// <returns>The codes; tr(E·H·Eᵀ)/2 of plain rounding and of these.</returns>
    public (BlockQuantizedMatrix Matrix, double ErrorRounded, double Error) Solve(WeightLayer layer, BlockFormat format, FloatMatrix hessian)
    {
        using var reader = layer.Open();
        return Solve(layer.Rows, layer.Columns, (first, rows, to) => reader.Read(first, rows, 0, layer.Columns, to), format, hessian);
    }

    internal delegate void ReadRows(int first, int rows, Span<float> destination);

    internal (BlockQuantizedMatrix Matrix, double ErrorRounded, double Error) Solve(int rows, int columns, ReadRows read, BlockFormat format, FloatMatrix hessian)
    {
        var matrix = new BlockQuantizedMatrix(rows, columns, format);
        var sums = new (double Rounded, double Searched)[(rows + Chunk - 1) / Chunk];
        Parallel.For(0, sums.Length, new ParallelOptions { MaxDegreeOfParallelism = Math.Max(_threads, 1) }, chunk =>
        {
            var first = chunk * Chunk;
            var height = Math.Min(Chunk, rows - first);
            var weights = new float[height * columns];
            read(first, height, weights);
            sums[chunk] = new Rows(this, matrix, first, weights, hessian).Solve();
        });
        return (matrix, sums.Sum(s => s.Rounded), sums.Sum(s => s.Searched));
    }

    /// <summary>Some rows at work.</summary>
    private sealed class Rows(ClipSearch search, BlockQuantizedMatrix matrix, int first, float[] weights, FloatMatrix hessian)
    {
        private readonly BlockFormat _format = matrix.Format;
        private readonly int _columns = matrix.Columns;
        private readonly int _height = weights.Length / matrix.Columns;
        private readonly float[] _error = new float[matrix.Format.Block(matrix.Columns)];
        private readonly float[] _bestError = new float[matrix.Format.Block(matrix.Columns)];
        private readonly float[] _product = new float[matrix.Format.Block(matrix.Columns)];
        private readonly byte[] _codes = new byte[matrix.Format.Block(matrix.Columns)];

        public (double Rounded, double Searched) Solve()
        {
            using var errors = new FloatMatrix(_height, _columns);
            using var products = new FloatMatrix(_height, _columns);
            for (var i = 0; i < _height; i++)
            {
                BlockKernels.RoundRow(_format, Weights(i), matrix.CodesOf(first + i), matrix.ScalesOf(first + i), matrix.ZeroPointsOf(first + i));
                matrix.Dequantize(first + i, errors.Row(i));
                TensorPrimitives.Subtract(errors.Row(i), Weights(i), errors.Row(i));
            }

            var rounded = OutputError.Of(errors, hessian, products, _height);
            for (var sweep = 0; sweep < search._sweeps; sweep++)
            {
                var changed = false;
                for (var i = 0; i < _height; i++)
                {
                    for (var block = 0; block < matrix.Blocks; block++)
                    {
                        changed |= Improve(i, block, errors.Row(i), products.Row(i));
                    }
                }

                if (!changed)
                {
                    break;
                }
            }

            if (search._refinements > 0)
            {
                var descent = new CodeDescent(matrix, hessian);
                for (var i = 0; i < _height; i++)
                {
                    descent.Run(first + i, errors.Row(i), products.Row(i), search._refinements);
                }
            }

            return (rounded, OutputError.Of(errors, hessian, products, _height));
        }

        private Span<float> Weights(int row) => weights.AsSpan(row * _columns, _columns);

        // errors is E and products E·H of the row. With other blocks fixed, the row's error as a function of the block's error e is
        // e·H_bb·e + 2·l·e + const with l = (E·H)_b − E_b·H_bb.
        private bool Improve(int row, int block, Span<float> errors, Span<float> products)
        {
            var size = _format.Block(_columns);
            var start = block * size;
            var length = Math.Min(size, _columns - start);
            var w = Weights(row).Slice(start, length);
            var current = errors.Slice(start, length);
            var linear = new float[length];
            Multiply(current, start, linear);
            TensorPrimitives.Subtract(products.Slice(start, length), linear, linear);
            var least = Cost(current, start, linear);
            var (fitted, middle) = BlockKernels.Fit(_format, w);
            var found = (Scale: 0f, ZeroPoint: 0);
            foreach (var factor in search._factors)
            {
                var scale = fitted * factor;
                foreach (var (candidate, zeroPoint) in _format.Symmetric
                    ? [(scale, middle), (-scale, middle)]
                    : new (float, int)[] { (scale, middle - 1), (scale, middle), (scale, middle + 1) })
                {
                    if (zeroPoint < 0 || zeroPoint > byte.MaxValue || (!_format.Symmetric && zeroPoint > _format.Greatest))
                    {
                        continue;
                    }

                    var storable = _format.Storable(candidate);
                    var e = _error.AsSpan(0, length);
                    BlockKernels.Round(_format, w, storable, zeroPoint, _codes);
                    BlockKernels.Dequantize(_codes.AsSpan(0, length), storable, zeroPoint, e);
                    TensorPrimitives.Subtract(e, w, e);
                    var cost = Cost(e, start, linear);
                    if (cost < least * (least > 0 ? 1 - 1e-6 : 1 + 1e-6))
                    {
                        (least, found) = (cost, (storable, zeroPoint));
                        e.CopyTo(_bestError);
                    }
                }
            }

            if (found.Scale == 0)
            {
                return false;
            }

            BlockKernels.Round(_format, w, found.Scale, found.ZeroPoint, matrix.CodesOf(first + row).Slice(start, length));
            matrix.ScalesOf(first + row)[block] = found.Scale;
            if (!_format.Symmetric)
            {
                matrix.ZeroPointsOf(first + row)[block] = (byte)found.ZeroPoint;
            }

            for (var i = 0; i < length; i++)
            {
                var difference = _bestError[i] - current[i];
                TensorPrimitives.MultiplyAdd(hessian.Row(start + i), difference, products, products);
                current[i] = _bestError[i];
            }

            return true;
        }

        private double Cost(ReadOnlySpan<float> e, int start, ReadOnlySpan<float> linear)
        {
            var product = _product.AsSpan(0, e.Length);
            Multiply(e, start, product);
            return TensorPrimitives.Dot<float>(product, e) + 2 * TensorPrimitives.Dot(linear, e);
        }

        // e·H_bb; H is symmetric.
        private void Multiply(ReadOnlySpan<float> e, int start, Span<float> destination)
        {
            destination.Clear();
            for (var i = 0; i < e.Length; i++)
            {
                TensorPrimitives.MultiplyAdd(hessian.Row(start + i).Slice(start, e.Length), e[i], destination, destination);
            }
        }
    }
}
