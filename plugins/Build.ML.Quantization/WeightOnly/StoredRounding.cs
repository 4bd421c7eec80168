using System.Buffers;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Build.ML.Calibration.Layers;
using Build.ML.Graph;
using Build.ML.Quantization.Blocks;

namespace Build.ML.Quantization.WeightOnly;

/// <summary>
/// Rounding to nearest of a tile that lies column by column: each lane of a vector is a row of the matrix with its own block, so that extremes, scales and codes of 8 rows come from reading
/// once, without turning numbers first. Only the codes, a quarter of the bytes, are turned. Yields the same codes and scales as <see cref="RoundToNearest.SolveRow"/>.
/// </summary>
internal static class StoredRounding
{
    private const int Lanes = 8;
    private const int Run = 32; // columns whose codes are turned together
    private const int PerNumber = 4; // codes in 32 bits

    /// <summary>Whether a tile is of whole vectors and whole runs.</summary>
    public static bool Takes(int size, BlockQuantizedMatrix matrix, WeightTile tile) =>
        size % Run == 0 && tile.Rows % Lanes == 0 && tile.Columns % size == 0 && matrix.Columns % PerNumber == 0;

    /// <summary>Rounds a tile.</summary>
    /// <inheritdoc cref="BlockSolver.SolveStored"/>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static WeightError Round(int size, ReadOnlySpan<float> stored, int stride, BlockQuantizedMatrix matrix, WeightTile tile)
    {
        var rows = tile.Rows;
        var rented = ArrayPool<float>.Shared.Rent((3 + Run / PerNumber) * rows);
        var steps = rented.AsSpan(0, rows);
        var inverses = rented.AsSpan(rows, rows);
        var zeros = rented.AsSpan(2 * rows, rows);
        var codes = rented.AsSpan(3 * rows, Run / PerNumber * rows);
        double signal = 0, noise = 0;
        for (var start = 0; start < tile.Columns; start += size)
        {
            var block = stored[(start * stride)..];
            Extremes(block, stride, size, steps, inverses);
            Fit(matrix.Format, steps, inverses, zeros);
            Store(matrix, tile, (tile.FirstColumn + start) / size, steps, zeros);
            for (var first = 0; first < size; first += Run)
            {
                var error = default(WeightError);
                for (var column = 0; column < Run; column += PerNumber)
                {
                    error += RoundColumns(
                        matrix.Format, block[((first + column) * stride)..], stride, steps, inverses, zeros, codes.Slice(column / PerNumber * rows, rows));
                }

                signal += error.Signal;
                noise += error.Noise;
                var to = MemoryMarshal.Cast<byte, float>(matrix.Codes.AsSpan(tile.FirstRow * matrix.Columns + tile.FirstColumn + start + first));
                Transposition.Turn(codes, Run / PerNumber, rows, rows, to, matrix.Columns / PerNumber);
            }
        }

        ArrayPool<float>.Shared.Return(rented);
        return new(signal, noise);
    }

    /// <summary>Least and greatest of each row's block, read column after column.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Extremes(ReadOnlySpan<float> block, int stride, int size, Span<float> low, Span<float> high)
    {
        block[..low.Length].CopyTo(low);
        block[..low.Length].CopyTo(high);
        ref var least = ref low[0];
        ref var greatest = ref high[0];
        for (var column = 1; column + 1 < size; column += 2)
        {
            ref var x = ref Unsafe.AsRef(in block.Slice(column * stride, low.Length)[0]);
            ref var y = ref Unsafe.AsRef(in block.Slice((column + 1) * stride, low.Length)[0]);
            for (nuint i = 0; i < (nuint)low.Length; i += Lanes)
            {
                var a = Vector256.LoadUnsafe(ref x, i);
                var b = Vector256.LoadUnsafe(ref y, i);
                Vector256.MinNative(Vector256.MinNative(a, b), Vector256.LoadUnsafe(ref least, i)).StoreUnsafe(ref least, i);
                Vector256.MaxNative(Vector256.MaxNative(a, b), Vector256.LoadUnsafe(ref greatest, i)).StoreUnsafe(ref greatest, i);
            }
        }

        ref var last = ref Unsafe.AsRef(in block.Slice((size - 1) * stride, low.Length)[0]); // the size is even
        for (nuint i = 0; i < (nuint)low.Length; i += Lanes)
        {
            var a = Vector256.LoadUnsafe(ref last, i);
            Vector256.MinNative(a, Vector256.LoadUnsafe(ref least, i)).StoreUnsafe(ref least, i);
            Vector256.MaxNative(a, Vector256.LoadUnsafe(ref greatest, i)).StoreUnsafe(ref greatest, i);
        }
    }

    /// <summary>Makes scales of extremes, as <see cref="BlockKernels.Fit(BlockFormat, float, float)"/> does for one block.</summary>
    /// <param name="format">The format.</param>
    /// <param name="steps">Least numbers; receives the scales.</param>
    /// <param name="inverses">Greatest numbers; receives 1/scale.</param>
    /// <param name="zeros">Receives the zero points.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Fit(BlockFormat format, Span<float> steps, Span<float> inverses, Span<float> zeros)
    {
        ref var step = ref steps[0];
        ref var inverse = ref inverses[0];
        ref var zero = ref zeros[0];
        var half = Vector256.Create(-2f / format.Levels); // a power of two: exact
        var middle = Vector256.Create((float)format.Middle);
        var last = Vector256.Create((double)(format.Levels - 1));
        var greatest = Vector256.Create((float)format.Greatest);
        var least = Vector256.Create(BlockFormat.LeastScale);
        for (nuint i = 0; i < (nuint)steps.Length; i += Lanes)
        {
            var low = Vector256.LoadUnsafe(ref step, i);
            var high = Vector256.LoadUnsafe(ref inverse, i);
            Vector256<float> scale;
            if (format.Symmetric)
            {
                scale = Vector256.ConditionalSelect(Vector256.GreaterThanOrEqual(high, -low), high, low) * half;
            }
            else
            {
                low = Vector256.MinNative(low, Vector256<float>.Zero);
                var (lowA, lowB) = Vector256.Widen(low);
                var (highA, highB) = Vector256.Widen(Vector256.MaxNative(high, Vector256<float>.Zero));
                scale = Vector256.Narrow((highA - lowA) / last, (highB - lowB) / last);
            }

            scale = Vector256.ConditionalSelect(Vector256.LessThan(Vector256.Abs(scale), least), Vector256<float>.One, scale);
            if (format.ScaleType == DataType.Float16)
            {
                scale.StoreUnsafe(ref step, i);
                for (var lane = (int)i; lane < (int)i + Lanes; lane++)
                {
                    steps[lane] = format.Storable(steps[lane]);
                }

                scale = Vector256.LoadUnsafe(ref step, i);
            }

            scale.StoreUnsafe(ref step, i);
            (Vector256<float>.One / scale).StoreUnsafe(ref inverse, i);
            var point = format.Symmetric ? middle : Vector256.MinNative(Vector256.MaxNative(Vector256.Round(-low / scale), Vector256<float>.Zero), greatest);
            point.StoreUnsafe(ref zero, i);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Store(BlockQuantizedMatrix matrix, WeightTile tile, int index, ReadOnlySpan<float> steps, ReadOnlySpan<float> zeros)
    {
        for (int row = 0, at = tile.FirstRow * matrix.Blocks + index; row < tile.Rows; row++, at += matrix.Blocks)
        {
            matrix.Scales[at] = steps[row];
            if (matrix.ZeroPoints.Length > 0)
            {
                matrix.ZeroPoints[at] = (byte)zeros[row];
            }
        }
    }

    /// <summary>Rounds 4 columns to codes, the first column's in the lowest byte of a row's number.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static WeightError RoundColumns(
        BlockFormat format, ReadOnlySpan<float> columns, int stride, ReadOnlySpan<float> steps, ReadOnlySpan<float> inverses, ReadOnlySpan<float> zeros, Span<float> codes)
    {
        ref var x = ref Unsafe.AsRef(in columns[..(3 * stride + steps.Length)][0]);
        ref var q = ref Unsafe.As<float, int>(ref codes[0]);
        var least = Vector256.Create((float)format.Least);
        var greatest = Vector256.Create((float)format.Greatest);
        var signals = Vector256<float>.Zero;
        var noises = Vector256<float>.Zero;
        var next = (nuint)stride;
        for (nuint i = 0; i < (nuint)steps.Length; i += Lanes)
        {
            var inverse = Vector256.LoadUnsafe(ref Unsafe.AsRef(in inverses[0]), i);
            var step = Vector256.LoadUnsafe(ref Unsafe.AsRef(in steps[0]), i);
            var zero = Vector256.LoadUnsafe(ref Unsafe.AsRef(in zeros[0]), i);
            var low = least - zero;
            var high = greatest - zero;
            var a = Vector256.LoadUnsafe(ref x, i);
            var b = Vector256.LoadUnsafe(ref x, i + next);
            var c = Vector256.LoadUnsafe(ref x, i + 2 * next);
            var d = Vector256.LoadUnsafe(ref x, i + 3 * next);
            var qa = Vector256.MinNative(Vector256.MaxNative(Vector256.Round(a * inverse), low), high);
            var qb = Vector256.MinNative(Vector256.MaxNative(Vector256.Round(b * inverse), low), high);
            var qc = Vector256.MinNative(Vector256.MaxNative(Vector256.Round(c * inverse), low), high);
            var qd = Vector256.MinNative(Vector256.MaxNative(Vector256.Round(d * inverse), low), high);
            var word = Vector256.ConvertToInt32Native(qa + zero)
                | Vector256.ShiftLeft(Vector256.ConvertToInt32Native(qb + zero), 8)
                | Vector256.ShiftLeft(Vector256.ConvertToInt32Native(qc + zero), 16)
                | Vector256.ShiftLeft(Vector256.ConvertToInt32Native(qd + zero), 24);
            word.StoreUnsafe(ref q, i);
            var (ea, eb, ec, ed) = (a - qa * step, b - qb * step, c - qc * step, d - qd * step);
            signals += (a * a + b * b) + (c * c + d * d);
            noises += (ea * ea + eb * eb) + (ec * ec + ed * ed);
        }

        return new(Vector256.Sum(signals), Vector256.Sum(noises));
    }
}
