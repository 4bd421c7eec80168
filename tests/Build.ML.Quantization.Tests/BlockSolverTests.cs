using Build.ML.Graph;
using Build.ML.Quantization.Blocks;
using Build.ML.Quantization.WeightOnly;

namespace Build.ML.Quantization.Tests;

public sealed class BlockSolverTests
{
    public static TheoryData<int, bool, bool, int> Formats()
    {
        var formats = new TheoryData<int, bool, bool, int>();
        foreach (var bits in new[] { 2, 3, 4, 8 })
        {
            foreach (var length in new[] { 32, 37 })
            {
                formats.Add(bits, true, false, length);
                formats.Add(bits, false, false, length);
                formats.Add(bits, true, true, length);
                formats.Add(bits, false, true, length);
            }
        }

        return formats;
    }

    [Theory]
    [MemberData(nameof(Formats))]
    public void Round_to_nearest_gives_the_nearest_code_under_the_scale_by_the_extremes(int bits, bool symmetric, bool isHalf, int length)
    {
        var format = Format(bits, symmetric, isHalf);
        for (var seed = 0; seed < 50; seed++)
        {
            var block = Numbers.Normal(seed, length, 0.02);
            var codes = new byte[length];
            var (scale, zeroPoint) = new RoundToNearest().Solve(format, block, codes);

            // The definitions, in double precision; a half keeps 11 bits of the scale, 2^-11 relative.
            double low = Math.Min(0, block.Min()), high = Math.Max(0, block.Max());
            var expected = symmetric ? Math.Max(-low, high) / Math.Pow(2, bits - 1) : (high - low) / (Math.Pow(2, bits) - 1);
            Assert.Equal(1, Math.Abs(scale) / expected, isHalf ? 5e-4 : 1e-6);
            Assert.Equal(symmetric ? 1 << (format.StorageBits - 1) : Math.Clamp(Math.Round(-low / scale), 0, format.Greatest), zeroPoint);
            for (var i = 0; i < length; i++)
            {
                var best = Enumerable.Range(format.Least, format.Levels).Min(q => Math.Abs(block[i] - (q - zeroPoint) * (double)scale));

                // The nearest of all codes, but for a tie that falls to the other side in single precision.
                Assert.Equal(best, Math.Abs(block[i] - (codes[i] - zeroPoint) * (double)scale), Math.Abs(scale) * 1e-5);
            }

            if (symmetric && !isHalf)
            {
                Assert.Contains((byte)format.Least, codes); // the extreme gets the code without a counterpart
            }
        }
    }

    [Theory]
    [MemberData(nameof(Formats))]
    public void Clipping_comes_near_the_least_squared_error_of_a_brute_force_search(int bits, bool symmetric, bool isHalf, int length)
    {
        var format = Format(bits, symmetric, isHalf);
        double plainTotal = 0, total = 0, bestTotal = 0;
        for (var seed = 0; seed < 10; seed++)
        {
            // Normal numbers and, in every other block, one far out.
            var block = Numbers.Normal(seed, length, 0.02);
            block[5] *= seed % 2 == 0 ? 1 : 6;
            var codes = new byte[length];
            var (scale, zeroPoint) = new MseClipping().Solve(format, block, codes);
            var (plainScale, plainZeroPoint) = BlockKernels.Fit(format, block);
            var error = Error(format, block, scale, zeroPoint);
            var plain = Error(format, block, plainScale, plainZeroPoint);
            Assert.InRange(error, 0, plain * (1 + 1e-5));
            plainTotal += plain;
            total += error;
            bestTotal += BruteForce(format, block, Math.Abs(plainScale));
        }

        // The search tries 28 scales and follows the best one down; the brute force 800 and, asymmetric, all zero points. 4 % is what the grid may miss in the mean, more at 8 bits, where each code is a valley.
        Assert.InRange(total, bestTotal * 0.999, bestTotal * (bits == 8 ? 1.15 : 1.04));
        if (bits <= 3)
        {
            Assert.InRange(total, 0, plainTotal * 0.93);
        }
    }

    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public void Half_quadratic_splitting_lessens_the_sum_of_its_norm(int bits)
    {
        var format = Format(bits, false, false);
        double plainTotal = 0, total = 0;
        for (var seed = 0; seed < 50; seed++)
        {
            var block = Numbers.Normal(seed, 64, 0.02);
            block[5] *= 6;
            var codes = new byte[64];
            var (scale, zeroPoint) = new HalfQuadratic().Solve(format, block, codes);
            var (plainScale, plainZeroPoint) = BlockKernels.Fit(format, block);
            var plain = Norm(format, block, plainScale, plainZeroPoint);
            var norm = Norm(format, block, scale, zeroPoint);
            Assert.InRange(norm, 0, plain * (1 + 1e-5));
            plainTotal += plain;
            total += norm;
        }

        Assert.InRange(total, 0, plainTotal * 0.97);
    }

    [Fact]
    public void Blocks_of_zeros_stay_zero_under_every_method()
    {
        foreach (var symmetric in new[] { true, false })
        {
            var format = Format(4, symmetric, true);
            foreach (var solver in new BlockSolver[] { new RoundToNearest(), new MseClipping(), new HalfQuadratic() })
            {
                var codes = new byte[32];
                var (scale, zeroPoint) = solver.Solve(format, new float[32], codes);
                Assert.All(codes, c => Assert.Equal(0, (c - zeroPoint) * scale));
            }
        }
    }

    private static BlockFormat Format(int bits, bool symmetric, bool isHalf) =>
        new(bits, 0, symmetric) { ScaleType = isHalf ? DataType.Float16 : DataType.Float };

    private static double BruteForce(BlockFormat format, float[] block, double full)
    {
        var best = double.PositiveInfinity;
        for (var i = 1; i <= 800; i++)
        {
            var scale = format.Storable(full * 1.3 * i / 800);
            for (var zeroPoint = format.Symmetric ? format.Middle : 0; zeroPoint <= (format.Symmetric ? format.Middle : Math.Min(15, format.Greatest)); zeroPoint++)
            {
                best = Math.Min(best, Error(format, block, scale, format.Bits == 8 && !format.Symmetric ? BlockKernels.Fit(format, block).ZeroPoint : zeroPoint));
                if (format.Symmetric)
                {
                    best = Math.Min(best, Error(format, block, -scale, zeroPoint));
                }
                else if (format.Bits == 8)
                {
                    break; // 256 zero points are too many: the range's own
                }
            }
        }

        return best;
    }

    private static double Error(BlockFormat format, float[] block, double scale, int zeroPoint) => Sum(format, block, scale, zeroPoint, e => e * e);

    private static double Norm(BlockFormat format, float[] block, double scale, int zeroPoint) =>
        Sum(format, block, scale, zeroPoint, e => Math.Pow(Math.Abs(e), 0.7));

    private static double Sum(BlockFormat format, float[] block, double scale, int zeroPoint, Func<double, double> measure)
    {
        double sum = 0;
        foreach (double w in block)
        {
            sum += measure(w - (Math.Clamp(Math.Round(w / scale) + zeroPoint, format.Least, format.Greatest) - zeroPoint) * scale);
        }

        return sum;
    }
}
