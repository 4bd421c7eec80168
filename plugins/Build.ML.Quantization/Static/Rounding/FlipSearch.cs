using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Build.ML.Quantization.Static.Rounding;

/// <summary>
/// Improves a rounding by moving one weight at a time to its other neighbour as long as that lowers Σ(f(y) − f(ŷ))² over all rows of the sample: a descent with annealing ends
/// in some valley, this at its bottom.
/// </summary>
internal sealed class FlipSearch
{
    // In practice two or three rounds find nothing more.
    private const int Rounds = 5;

    private readonly LayerSample _sample;
    private readonly int _columns;
    private readonly (float Minimum, float Maximum) _clip;
    private readonly float[] _byColumn;

    /// <summary>Prepares a layer.</summary>
    /// <param name="sample">What it reads and should yield.</param>
    /// <param name="columns">Weights of an output.</param>
    /// <param name="clip">f: the range that the activation after the layer keeps.</param>
    public FlipSearch(LayerSample sample, int columns, (float Minimum, float Maximum) clip)
    {
        (_sample, _columns, _clip) = (sample, columns, clip);
        _byColumn = new float[(long)columns * sample.Rows];
        for (var r = 0; r < sample.Rows; r++)
        {
            for (var k = 0; k < columns; k++)
            {
                _byColumn[k * sample.Rows + r] = sample.Inputs[r * sample.Columns + k];
            }
        }
    }

    /// <summary>Improves the rounding of one output.</summary>
    /// <param name="output">Which one.</param>
    /// <param name="weights">Its real weights in units of the scale, W/s.</param>
    /// <param name="scale">s.</param>
    /// <param name="bias">b.</param>
    /// <param name="integers">The rounding to begin with; changed.</param>
    /// <param name="range">Least and greatest integer.</param>
    /// <returns>The error reached.</returns>
    public double Improve(int output, ReadOnlySpan<float> weights, float scale, float bias, Span<sbyte> integers, (int Least, int Greatest) range)
    {
        var (y, targets) = (new float[_sample.Rows], new float[_sample.Rows]);
        for (var r = 0; r < y.Length; r++)
        {
            y[r] = bias;
            targets[r] = Math.Clamp(_sample.Targets[r * _sample.Outputs + output], _clip.Minimum, _clip.Maximum);
        }

        for (var k = 0; k < _columns; k++)
        {
            System.Numerics.Tensors.TensorPrimitives.MultiplyAdd(Column(k), integers[k] * scale, y, y);
        }

        var error = Error(y, y, 0, targets);
        for (var (round, found) = (0, true); found && round < Rounds; round++)
        {
            found = false;
            for (var k = 0; k < _columns; k++)
            {
                var floor = (int)MathF.Floor(weights[k]);
                var other = Math.Clamp(integers[k] > floor ? floor : floor + 1, range.Least, range.Greatest);
                var step = (other - integers[k]) * scale;
                if (step != 0 && Error(y, Column(k), step, targets) is var moved && moved < error)
                {
                    System.Numerics.Tensors.TensorPrimitives.MultiplyAdd(Column(k), step, y, y);
                    (integers[k], error, found) = ((sbyte)other, moved, true);
                }
            }
        }

        return error;
    }

    private ReadOnlySpan<float> Column(int column) => _byColumn.AsSpan(column * _sample.Rows, _sample.Rows);

    // Σ(clip(y + step·x) − target)²
    private double Error(ReadOnlySpan<float> y, ReadOnlySpan<float> x, float step, ReadOnlySpan<float> targets)
    {
        ref var y0 = ref MemoryMarshal.GetReference(y);
        ref var x0 = ref MemoryMarshal.GetReference(x);
        ref var t0 = ref MemoryMarshal.GetReference(targets);
        var (low, high, move) = (Vector256.Create(_clip.Minimum), Vector256.Create(_clip.Maximum), Vector256.Create(step));
        var sums = Vector256<float>.Zero;
        nuint i = 0;
        for (; i + 8 <= (nuint)y.Length; i += 8)
        {
            var v = Vector256.LoadUnsafe(ref y0, i) + Vector256.LoadUnsafe(ref x0, i) * move;
            v = Vector256.Min(Vector256.Max(v, low), high) - Vector256.LoadUnsafe(ref t0, i);
            sums += v * v;
        }

        double sum = Vector256.Sum(sums);
        for (; i < (nuint)y.Length; i++)
        {
            var v = Math.Clamp(Unsafe.Add(ref y0, i) + Unsafe.Add(ref x0, i) * step, _clip.Minimum, _clip.Maximum) - Unsafe.Add(ref t0, i);
            sum += (double)v * v;
        }

        return sum;
    }
}
