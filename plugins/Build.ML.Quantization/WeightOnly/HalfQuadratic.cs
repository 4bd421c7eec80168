using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Build.ML.Quantization.Blocks;

namespace Build.ML.Quantization.WeightOnly;

/// <summary>
/// HQQ (Badri and Shaji 2023, "Half-Quadratic Quantization of Large Machine Learning Models"): the zero point that leaves the least Σ|w − ŵ|^p with p = 0.7, which cares for the many weights more than
/// for the few far ones. Half-quadratic splitting takes turns: e ← the error shrunk, sign(x)·max(0, |x| − |x|^(p−1)/β); z ← mean(q − (w − e)/s); β ← κ·β. There z is a real number; ONNX
/// Runtime's kernels take integers, so z is rounded in the end, and the same splitting then goes on with the scale, s ← Σ(w − e)(q − z) / Σ(q − z)². What is kept is the best of
/// all that was seen by Σ|w − ŵ|^p, the range's own parameters among it: never worse than round-to-nearest by that measure.
/// </summary>
internal sealed class HalfQuadratic : BlockSolver
{
    /// <summary>Exponent of the norm.</summary>
    public const float P = 0.7f;

    private const float Beta = 10;
    private const float Kappa = 1.01f;
    private const int Iterations = 20;

    /// <inheritdoc/>
    public override (float Scale, byte ZeroPoint) Solve(BlockFormat format, ReadOnlySpan<float> block, Span<byte> codes)
    {
        var (scale, zeroPoint) = BlockKernels.Fit(format, block);
        var best = (Scale: scale, ZeroPoint: zeroPoint);
        var least = Objective(format, block, scale, zeroPoint);

        // Shrinking starts where |x|^(2−p) = 1/β. In units of the scale, so that β means the same in all blocks: from 0.17 of a step on an error counts as an outlier.
        var unit = Beta * MathF.Pow(scale, P - 2);
        var beta = unit;
        float z = zeroPoint;
        for (var i = 0; i < Iterations; i++)
        {
            var moved = Math.Clamp(MeanZero(format, block, scale, z, beta), 0, format.Greatest);
            beta *= Kappa;
            if (Math.Abs(moved - z) < 1e-4f)
            {
                break;
            }

            z = moved;
        }

        foreach (var candidate in (ReadOnlySpan<float>)[MathF.Floor(z), MathF.Ceiling(z)])
        {
            var s = scale;
            beta = unit;
            for (var i = 0; i < Iterations; i++)
            {
                var error = Objective(format, block, s, candidate);
                if (error < least)
                {
                    least = error;
                    best = (s, (byte)candidate);
                }

                var next = format.Storable(Scale(format, block, s, candidate, beta));
                beta *= Kappa;
                if (next == s || next <= 0)
                {
                    break;
                }

                s = next;
            }
        }

        BlockKernels.Round(format, block, best.Scale, best.ZeroPoint, codes);
        return best;
    }

    /// <summary>Σ|w − ŵ|^p.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static float Objective(BlockFormat format, ReadOnlySpan<float> block, float scale, float zeroPoint)
    {
        var rounding = new Rounding(format, scale, zeroPoint);
        var sums = Vector256<float>.Zero;
        for (var i = 0; i < block.Length; i += Vector256<float>.Count)
        {
            var w = Load(block, i, out var mask);
            sums += Power(Vector256.Abs(w - rounding.Of(w) * rounding.Scale), P) & mask;
        }

        return Vector256.Sum(sums);
    }

    /// <summary>mean(q − (w − e)/s).</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float MeanZero(BlockFormat format, ReadOnlySpan<float> block, float scale, float z, float beta)
    {
        var rounding = new Rounding(format, scale, z);
        var sums = Vector256<float>.Zero;
        for (var i = 0; i < block.Length; i += Vector256<float>.Count)
        {
            var w = Load(block, i, out var mask);
            var q = rounding.Of(w);
            sums += (q - (w - Shrink(w - q * rounding.Scale, beta)) * rounding.Inverse) & mask;
        }

        return z + Vector256.Sum(sums) / block.Length;
    }

    /// <summary>Σ(w − e)(q − z) / Σ(q − z)².</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Scale(BlockFormat format, ReadOnlySpan<float> block, float scale, float z, float beta)
    {
        var rounding = new Rounding(format, scale, z);
        var crosses = Vector256<float>.Zero;
        var squares = Vector256<float>.Zero;
        for (var i = 0; i < block.Length; i += Vector256<float>.Count)
        {
            var w = Load(block, i, out var mask);
            var q = rounding.Of(w) & mask;
            crosses += (w - Shrink(w - q * rounding.Scale, beta)) * q;
            squares += q * q;
        }

        var square = Vector256.Sum(squares);
        return square > 0 ? Vector256.Sum(crosses) / square : scale;
    }

    /// <summary>sign(x)·max(0, |x| − |x|^(p−1)/β); 0 where x is 0, as |0|^(p−1) is infinite.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Shrink(Vector256<float> x, float beta)
    {
        var magnitude = Vector256.Abs(x);
        var shrunk = Vector256.Max(Vector256<float>.Zero, magnitude - Power(magnitude, P - 1) * Vector256.Create(1 / beta));
        return Vector256.CopySign(shrunk, x);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Power(Vector256<float> x, float exponent) => Vector256.Exp(Vector256.Log(x) * Vector256.Create(exponent));

    /// <summary>Eight weights, or what is left of them with zeros behind and a mask of those that count.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Load(ReadOnlySpan<float> block, int start, out Vector256<float> mask)
    {
        var left = block.Length - start;
        if (left >= Vector256<float>.Count)
        {
            mask = Vector256<float>.AllBitsSet;
            return Vector256.Create(block.Slice(start, Vector256<float>.Count));
        }

        Span<float> rest = stackalloc float[Vector256<float>.Count];
        rest.Clear();
        block[start..].CopyTo(rest);
        mask = Vector256.LessThan(Vector256<int>.Indices, Vector256.Create(left)).AsSingle();
        return Vector256.Create((ReadOnlySpan<float>)rest);
    }

    /// <summary>q − z for weights.</summary>
    private readonly struct Rounding(BlockFormat format, float scale, float zeroPoint)
    {
        private readonly Vector256<float> _zero = Vector256.Create(zeroPoint);
        private readonly Vector256<float> _least = Vector256.Create((float)format.Least);
        private readonly Vector256<float> _greatest = Vector256.Create((float)format.Greatest);

        public Vector256<float> Scale { get; } = Vector256.Create(scale);

        public Vector256<float> Inverse { get; } = Vector256.Create(1 / scale);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public Vector256<float> Of(Vector256<float> w) =>
            Vector256.MinNative(Vector256.MaxNative(Vector256.Round(w * Inverse + _zero), _least), _greatest) - _zero;
    }
}
