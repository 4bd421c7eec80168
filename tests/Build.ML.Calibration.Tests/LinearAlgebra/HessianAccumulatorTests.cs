using Build.ML.Calibration.LinearAlgebra;

namespace Build.ML.Calibration.Tests.LinearAlgebra;

public sealed class HessianAccumulatorTests
{
    private const int Columns = 45;
    private const int Count = 3000;

    [Fact]
    public void The_hessian_is_twice_the_mean_of_outer_products_also_beside_outlier_channels()
    {
        var x = Inputs();
        using var accumulator = new HessianAccumulator(Columns, 2);
        accumulator.Add(x);
        using var hessian = accumulator.Finish();
        var expected = new double[Columns, Columns];
        for (var n = 0; n < Count; n++)
        {
            for (var i = 0; i < Columns; i++)
            {
                for (var j = 0; j < Columns; j++)
                {
                    expected[i, j] += 2.0 / Count * x[n * Columns + i] * x[n * Columns + j];
                }
            }
        }

        for (var i = 0; i < Columns; i++)
        {
            for (var j = 0; j < Columns; j++)
            {
                // Relative to what was summed: √(H_ii·H_jj) bounds Σ|x_i·x_j|.
                Assert.Equal(expected[i, j], hessian[i, j], 1e-6 * Math.Sqrt(expected[i, i] * expected[j, j]));
            }
        }
    }

    [Fact]
    public void Bits_depend_neither_on_how_inputs_are_cut_nor_on_threads()
    {
        var x = Inputs();
        using var whole = new HessianAccumulator(Columns, 1);
        whole.Add(x);
        using var expected = whole.Finish();
        foreach (var piece in new[] { 1, 7, 1023, 1025, 2048 })
        {
            using var accumulator = new HessianAccumulator(Columns, 3);
            for (var start = 0; start < Count; start += piece)
            {
                accumulator.Add(x.AsSpan(start * Columns, Math.Min(piece, Count - start) * Columns));
            }

            using var hessian = accumulator.Finish();
            Assert.Equal(Count, accumulator.Count);
            Matrices.SameBits(expected, hessian);
        }
    }

    private static float[] Inputs()
    {
        var x = Numbers.Normal(21, (long)Count * Columns, 1);
        for (var n = 0; n < Count; n++)
        {
            x[n * Columns + 3] *= 50;
            x[n * Columns + 7] = x[n * Columns + 6] + 0.01f * x[n * Columns + 7];
        }

        return x;
    }
}
