using Build.ML.Calibration.LinearAlgebra;

namespace Build.ML.Calibration.Tests.LinearAlgebra;

public sealed class MatrixProductTests
{
    // Smaller than a micro-tile, exact multiples, remainders in every direction, several tiles and several pieces of depth.
    [Theory]
    [InlineData(1, 1, 1)]
    [InlineData(8, 32, 128)]
    [InlineData(7, 31, 127)]
    [InlineData(9, 33, 129)]
    [InlineData(203, 150, 300)]
    [InlineData(400, 500, 130)]
    public void A_product_equals_the_sum_in_double_precision(int rows, int columns, int depth)
    {
        using var a = Matrices.Normal(1, rows, depth);
        using var b = Matrices.Normal(2, depth, columns);
        using var c = Matrices.Normal(3, rows, columns);
        using var transposedA = Matrices.Transposed(a);
        using var transposedB = Matrices.Transposed(b);
        using var transposedC = Matrices.Transposed(c);
        var expected = Matrices.Product(a, b, -0.5);
        for (var i = 0; i < rows; i++)
        {
            for (var j = 0; j < columns; j++)
            {
                expected[i, j] += c[i, j];
            }
        }

        MatrixProduct.Add(c.View, transposedA.View.Transposed, transposedB.View.Transposed, -0.5f, threads: 2);
        MatrixProduct.Add(transposedC.View.Transposed, a.View, b.View, -0.5f, threads: 1);

        // Rounding of sums of depth products of deviation 1: 2^-24·√depth each way, six-fold.
        var tolerance = 6 * Math.Sqrt(depth + 1) * Math.Pow(2, -24) * Math.Sqrt(depth);
        Matrices.Equal(expected, c, tolerance);
        Matrices.Equal(expected, transposedC, tolerance, transposed: true);
    }

    [Fact]
    public void All_micro_kernels_and_numbers_of_threads_give_the_same_bits()
    {
        using var a = Matrices.Normal(4, 203, 300);
        using var b = Matrices.Normal(5, 300, 450);
        using var expected = new FloatMatrix(203, 450);
        MatrixProduct.Run<MicroKernel512>(expected.View, a.View, b.View, 1, Triangle.Full, 1);
        foreach (var threads in new[] { 1, 2, 3 })
        {
            using var c512 = new FloatMatrix(203, 450);
            using var c256 = new FloatMatrix(203, 450);
            using var c128 = new FloatMatrix(203, 450);
            MatrixProduct.Run<MicroKernel512>(c512.View, a.View, b.View, 1, Triangle.Full, threads);
            MatrixProduct.Run<MicroKernel256>(c256.View, a.View, b.View, 1, Triangle.Full, threads);
            MatrixProduct.Run<MicroKernel128>(c128.View, a.View, b.View, 1, Triangle.Full, threads);
            foreach (var c in new[] { c512, c256, c128 })
            {
                Matrices.SameBits(expected, c);
            }
        }
    }

    [Fact]
    public void The_gram_product_fills_the_upper_triangle_and_leaves_the_lower_alone()
    {
        using var x = Matrices.Normal(6, 140, 437);
        using var full = new FloatMatrix(437, 437);
        using var upper = new FloatMatrix(437, 437);
        for (var i = 0; i < 437; i++)
        {
            upper.Row(i)[..i].Fill(-7);
        }

        MatrixProduct.Add(full.View, x.View.Transposed, x.View, threads: 2);
        MatrixProduct.AddGram(upper.View, x.View, threads: 2);
        for (var i = 0; i < 437; i++)
        {
            for (var j = 0; j < 437; j++)
            {
                Assert.Equal(j < i ? -7 : full[i, j], upper[i, j]);
            }
        }
    }

    [Fact]
    public unsafe void Addresses_go_beyond_two_billion_elements()
    {
        var view = new MatrixView(null, 1 << 20, 1 << 20, 1 << 20, 1);
        Assert.Equal((1L << 59 - 19) + 5, view.Block(1 << 19, 3, 1 << 19, 9).Transposed.Address(2, 1 << 19) - (float*)null);
    }

    [Fact]
    public void Sizes_that_do_not_fit_are_an_error()
    {
        using var a = new FloatMatrix(2, 3);
        using var b = new FloatMatrix(2, 4);
        using var c = new FloatMatrix(2, 4);
        Assert.Throws<ArgumentException>(() => MatrixProduct.Add(c.View, a.View, b.View));
    }
}
