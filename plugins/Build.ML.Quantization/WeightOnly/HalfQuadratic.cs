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
    public static double Objective(BlockFormat format, ReadOnlySpan<float> block, float scale, float zeroPoint)
    {
        var inverse = 1 / scale;
        double sum = 0;
        foreach (var w in block)
        {
            var q = Math.Clamp(MathF.Round(w * inverse + zeroPoint), format.Least, format.Greatest);
            sum += MathF.Pow(Math.Abs(w - (q - zeroPoint) * scale), P);
        }

        return sum;
    }

    private static float MeanZero(BlockFormat format, ReadOnlySpan<float> block, float scale, float z, float beta)
    {
        var inverse = 1 / scale;
        var sum = 0f;
        foreach (var w in block)
        {
            var q = Math.Clamp(MathF.Round(w * inverse + z), format.Least, format.Greatest);
            sum += q - (w - Shrink(w - (q - z) * scale, beta)) * inverse;
        }

        return sum / block.Length;
    }

    private static double Scale(BlockFormat format, ReadOnlySpan<float> block, float scale, float z, float beta)
    {
        var inverse = 1 / scale;
        double cross = 0, square = 0;
        foreach (var w in block)
        {
            var q = Math.Clamp(MathF.Round(w * inverse + z), format.Least, format.Greatest) - z;
            cross += (w - Shrink(w - q * scale, beta)) * q;
            square += q * q;
        }

        return square > 0 ? cross / square : scale;
    }

    private static float Shrink(float x, float beta)
    {
        var magnitude = Math.Abs(x);
        return magnitude == 0 ? 0 : MathF.CopySign(Math.Max(0, magnitude - MathF.Pow(magnitude, P - 1) / beta), x);
    }
}
