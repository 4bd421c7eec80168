using Build.ML.Calibration.LinearAlgebra;

namespace Build.ML.Calibration.Tests.LinearAlgebra;

public sealed class CholeskyTests
{
    // Within a panel, exactly one, several with a remainder and several strips.
    [Theory]
    [InlineData(1)]
    [InlineData(37)]
    [InlineData(256)]
    [InlineData(900)]
    public void The_factors_product_is_the_matrix(int size)
    {
        using var g = PositiveDefinite(size);
        using var u = Copy(g);
        Assert.Equal(-1, Cholesky.Factor(u.View, 2));
        for (var i = 0; i < size; i++)
        {
            for (var j = i; j < size; j += 1 + size / 50)
            {
                var sum = 0d;
                for (var k = 0; k <= i; k++)
                {
                    sum += (double)u[k, i] * u[k, j];
                }

                // Backward error of Cholesky (Higham 2002, theorem 10.3): about 2^-24·√size in the mean, relative to the diagonal.
                Assert.Equal(g[i, j], sum, 4 * Math.Sqrt(size) * Math.Pow(2, -24) * Math.Sqrt((double)g[i, i] * g[j, j]));
            }
        }
    }

    [Fact]
    public void The_lower_triangle_is_left_alone_and_threads_do_not_change_bits()
    {
        using var g = PositiveDefinite(700);
        for (var i = 0; i < 700; i++)
        {
            g.Row(i)[..i].Fill(float.NaN);
        }

        using var one = Copy(g);
        using var three = Copy(g);
        Assert.Equal(-1, Cholesky.Factor(one.View, 1));
        Assert.Equal(-1, Cholesky.Factor(three.View, 3));
        for (var i = 0; i < 700; i++)
        {
            Assert.All(one.Row(i)[..i].ToArray(), v => Assert.True(float.IsNaN(v)));
            Assert.True(one.Row(i)[i..].SequenceEqual(three.Row(i)[i..]));
        }
    }

    [Theory]
    [InlineData(1, 3)]
    [InlineData(37, 5)]
    [InlineData(256, 2)]
    [InlineData(700, 40)]
    public void Solutions_give_the_right_sides_again(int size, int count)
    {
        using var g = PositiveDefinite(size);
        using var u = Copy(g);
        Assert.Equal(-1, Cholesky.Factor(u.View, 2));
        for (var i = 0; i < size; i++)
        {
            u.Row(i)[..i].Fill(float.NaN); // must not be read
        }

        using var right = new FloatMatrix(count, size);
        for (var row = 0; row < count; row++)
        {
            Numbers.Normal(row, size, 1).CopyTo(right.Row(row));
        }

        using var one = Copy(right);
        using var three = Copy(right);
        CholeskySolution.SolveRows(u.View, one.View, 1);
        CholeskySolution.SolveRows(u.View, three.View, 3);
        for (var row = 0; row < count; row++)
        {
            Assert.True(one.Row(row).SequenceEqual(three.Row(row)));
            double scale = 0;
            for (var i = 0; i < size; i++)
            {
                scale += Math.Abs(one[row, i]) * g[i, i];
            }

            for (var j = 0; j < size; j++)
            {
                var sum = 0d;
                for (var k = 0; k < size; k++)
                {
                    sum += (double)one[row, k] * g[k, j];
                }

                // Backward stable (Higham 2002, theorem 10.4): the residual is some roundings of |x|·|G|, whatever the condition.
                Assert.Equal(right[row, j], sum, 1e-6 * scale + 1e-6);
            }
        }
    }

    [Theory]
    [InlineData(3)]
    [InlineData(300)]
    public void The_first_row_that_is_not_positive_definite_is_told(int row)
    {
        using var g = PositiveDefinite(400);
        g[row, row] = -1;
        Assert.Equal(row, Cholesky.Factor(g.View, 2));
        using var broken = PositiveDefinite(400);
        broken[row, row] = float.NaN;
        Assert.Equal(row, Cholesky.Factor(broken.View, 2));
    }

    private static FloatMatrix PositiveDefinite(int size)
    {
        using var x = Matrices.Normal(11, size + 40, size);
        var g = new FloatMatrix(size, size);
        MatrixProduct.AddGram(g.View, x.View, 1f / size, 2);
        Symmetric.Complete(g.View);
        return g;
    }

    private static FloatMatrix Copy(FloatMatrix matrix)
    {
        var copy = new FloatMatrix(matrix.Rows, matrix.Columns);
        for (nint i = 0; i < matrix.Rows; i++)
        {
            matrix.Row(i).CopyTo(copy.Row(i));
        }

        return copy;
    }
}
