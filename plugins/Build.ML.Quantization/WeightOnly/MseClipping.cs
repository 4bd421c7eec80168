using Build.ML.Quantization.Blocks;

namespace Build.ML.Quantization.WeightOnly;

/// <summary>
/// The scale that leaves the least squared error, Σ(w − ŵ)²: a smaller scale than that by the extremes clips few weights and rounds the others more finely. Scales of a grid are tried, coarse and then fine around the best, with
/// both signs where the format is symmetric and with the range's zero point and its neighbours where it is not; the best is then refined by turns: given the codes the best scale is
/// Σw(q − z) / Σ(q − z)² (least squares), given the scale the best codes are the nearest.
/// </summary>
internal sealed class MseClipping : BlockSolver
{
    private const int Coarse = 20; // steps over the whole range, then
    private const int Fine = 4; // within one of them on either side of the best
    private const double Smallest = 0.4; // of the scale by the extremes; Gaussian weights at 2 bits want 0.6, heavier tails less
    private const double Largest = 1.15; // −8 to 7: 8/7 fits the extreme of the side that has one code less
    private const int Refinements = 3;

    /// <inheritdoc/>
    public override (float Scale, byte ZeroPoint) Solve(BlockFormat format, ReadOnlySpan<float> block, Span<byte> codes)
    {
        var (full, middle) = BlockKernels.Fit(format, block);
        var best = (Scale: full, ZeroPoint: middle);
        var least = BlockKernels.SquaredError(format, block, full, middle);
        const double Width = (Largest - Smallest) / Coarse;
        for (var step = 0; step <= Coarse; step++)
        {
            TryAll(block, Smallest + Width * step);
        }

        var around = Math.Abs(best.Scale / full);
        for (var step = 1 - Fine; step < Fine; step++)
        {
            TryAll(block, around + Width * step / Fine);
        }

        for (var i = 0; i < Refinements; i++)
        {
            var scale = format.Storable(BlockKernels.LeastSquaresScale(format, block, best.Scale, best.ZeroPoint));
            var before = least;
            Try(block, scale, best.ZeroPoint);
            if (least == before)
            {
                break;
            }
        }

        BlockKernels.Round(format, block, best.Scale, best.ZeroPoint, codes);
        return best;

        void TryAll(ReadOnlySpan<float> weights, double factor)
        {
            var scale = format.Storable(full * factor);
            Try(weights, scale, middle);
            if (format.Symmetric)
            {
                Try(weights, -scale, middle);
            }
            else
            {
                Try(weights, scale, middle - 1);
                Try(weights, scale, middle + 1);
            }
        }

        void Try(ReadOnlySpan<float> weights, float scale, int zeroPoint)
        {
            if (zeroPoint < 0 || zeroPoint > format.Greatest)
            {
                return;
            }

            var error = BlockKernels.SquaredError(format, weights, scale, zeroPoint);
            if (error < least)
            {
                least = error;
                best = (scale, (byte)zeroPoint);
            }
        }
    }
}
