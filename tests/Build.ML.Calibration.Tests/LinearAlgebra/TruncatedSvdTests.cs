using Build.ML.Calibration.LinearAlgebra;

namespace Build.ML.Calibration.Tests.LinearAlgebra;

public sealed class TruncatedSvdTests
{
    // Wide, tall, square; by the sketch (rank far below the size) and exactly.
    [Theory]
    [InlineData(200, 300, 10)]
    [InlineData(300, 200, 10)]
    [InlineData(150, 150, 149)]
    [InlineData(64, 20, 20)]
    [InlineData(20, 64, 3)]
    [InlineData(1, 5, 1)]
    public void Singular_values_and_vectors_of_a_known_construction_are_found(int rows, int columns, int rank)
    {
        var least = Math.Min(rows, columns);
        var values = Enumerable.Range(0, least).Select(i => (float)Math.Pow(0.9, i)).ToArray();
        using var left = Orthonormal(least, rows, 1);
        using var right = Orthonormal(least, columns, 2);
        using var a = Compose(values, left, right);
        using var svd = TruncatedSvd.Of(a.View, rank, threads: 2);
        for (var i = 0; i < rank; i++)
        {
            // Rounding of A's elements moves singular values by at most 2⁻²⁴·‖A‖; products of float32 somewhat more.
            Assert.Equal(values[i], svd.Values[i], 2e-6f);
            if (values[i] > 0.05)
            {
                var overlap = VectorMath.Dot(left.Row(i), svd.Left.Row(i));
                Assert.Equal(1, Math.Abs(overlap), 1e-3f);
                Assert.Equal(Math.Sign(overlap), Math.Sign(VectorMath.Dot(right.Row(i), svd.Right.Row(i))));
            }
        }

        AssertOrthonormal(svd.Left);
        AssertOrthonormal(svd.Right);
    }

    [Theory]
    [InlineData(256, 256, 32)]
    [InlineData(300, 120, 8)]
    [InlineData(96, 500, 40)]
    public void The_error_is_the_tail_of_the_spectrum(int rows, int columns, int rank)
    {
        // Gaussian numbers: a spectrum without a gap, the hardest for a sketch.
        using var a = Matrices.Normal(5, rows, columns);
        using var all = TruncatedSvd.Of(a.View, Math.Min(rows, columns));
        using var svd = TruncatedSvd.Of(a.View, rank);
        using var approximation = Compose(svd.Values, svd.Left, svd.Right);
        var error = SquaredDistance(a, approximation);
        var tail = all.Values.Skip(rank).Sum(v => (double)v * v);
        Assert.InRange(Math.Sqrt(error / tail), 0.9999, 1.005); // Eckart and Young: nothing is nearer
        Assert.Equal(tail, all.SquaredError(rank), 1e-4 * tail);
        Assert.Equal(error, svd.SquaredError(rank), 1e-3 * tail);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(17)]
    public void A_matrix_of_low_rank_comes_back_exactly(int rank)
    {
        using var left = Matrices.Normal(7, rank, 190);
        using var right = Matrices.Normal(8, rank, 230);
        using var a = Compose([.. Enumerable.Repeat(1f, rank)], left, right);
        foreach (var wanted in new[] { rank, 40, 190 }) // ranks beyond the matrix's own too
        {
            using var svd = TruncatedSvd.Of(a.View, wanted);
            using var again = Compose(svd.Values, svd.Left, svd.Right);
            Assert.InRange(Math.Sqrt(SquaredDistance(a, again) / svd.SquaredNorm), 0, 2e-6);
            Assert.All(svd.Values[rank..], v => Assert.InRange(v, 0, 1e-6f * svd.Values[0]));
            AssertOrthonormal(svd.Left);
            AssertOrthonormal(svd.Right);
        }
    }

    [Fact]
    public void Threads_do_not_change_bits_and_transposing_exchanges_the_sides()
    {
        using var a = Matrices.Normal(9, 330, 270);
        using var one = TruncatedSvd.Of(a.View, 20, threads: 1);
        using var three = TruncatedSvd.Of(a.View, 20, threads: 3);
        using var turned = TruncatedSvd.Of(a.View.Transposed, 20);
        Assert.Equal(one.Values, three.Values);
        for (var i = 0; i < 20; i++)
        {
            Assert.True(one.Left.Row(i).SequenceEqual(three.Left.Row(i)));
            Assert.True(one.Right.Row(i).SequenceEqual(three.Right.Row(i)));
            Assert.Equal(one.Values[i], turned.Values[i], 0.01f * one.Values[i]);
        }
    }

    [Fact]
    public void A_matrix_of_zeros_has_none_and_one_with_NaN_is_refused()
    {
        using var a = new FloatMatrix(60, 90);
        using var svd = TruncatedSvd.Of(a.View, 3);
        Assert.Equal([0f, 0f, 0f], svd.Values);
        a[2, 2] = float.NaN;
        Assert.Throws<ArithmeticException>(() => TruncatedSvd.Of(a.View, 3));
    }

    private static FloatMatrix Orthonormal(int rows, int columns, int seed)
    {
        var matrix = Matrices.Normal(seed, rows, columns);
        OrthonormalRows.Of(matrix);
        return matrix;
    }

    private static FloatMatrix Compose(float[] values, FloatMatrix left, FloatMatrix right)
    {
        var matrix = new FloatMatrix(left.Columns, right.Columns);
        for (var i = 0; i < left.Columns; i++)
        {
            for (var j = 0; j < right.Columns; j++)
            {
                var sum = 0d;
                for (var k = 0; k < values.Length; k++)
                {
                    sum += (double)values[k] * left[k, i] * right[k, j];
                }

                matrix[i, j] = (float)sum;
            }
        }

        return matrix;
    }

    private static double SquaredDistance(FloatMatrix a, FloatMatrix b)
    {
        var sum = 0d;
        for (var i = 0; i < a.Rows; i++)
        {
            for (var j = 0; j < a.Columns; j++)
            {
                sum += Math.Pow((double)a[i, j] - b[i, j], 2);
            }
        }

        return sum;
    }

    private static void AssertOrthonormal(FloatMatrix rows)
    {
        for (var i = 0; i < rows.Rows; i++)
        {
            for (var j = 0; j <= i; j++)
            {
                Assert.Equal(i == j ? 1 : 0, VectorMath.Dot(rows.Row(i), rows.Row(j)), 5e-6f);
            }
        }
    }
}
