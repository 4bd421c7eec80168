using Build.ML.Calibration.LinearAlgebra;

namespace Build.ML.Calibration.Tests.LinearAlgebra;

public sealed class SymmetricEigenTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(37)]
    [InlineData(260)] // enough rows to be shared among threads
    public void The_second_difference_matrix_has_the_eigenvalues_of_the_vibrating_string(int size)
    {
        // 2 on the diagonal, −1 beside it: 2 − 2·cos(π·k/(n+1)), here hidden by a reflection H = 1 − 2·u·uᵀ.
        var matrix = Reflected(size, (i, j) => i == j ? 2 : Math.Abs(i - j) == 1 ? -1 : 0);
        var eigen = SymmetricEigen.Of(matrix, size, size, 2);
        for (var k = 0; k < size; k++)
        {
            Assert.Equal(2 - 2 * Math.Cos(Math.PI * (size - k) / (size + 1)), eigen.Values[k], 1e-12);
        }
    }

    [Theory]
    [InlineData(3, 3)]
    [InlineData(70, 70)]
    [InlineData(230, 40)]
    public void Vectors_are_orthonormal_and_the_matrix_only_stretches_them(int size, int count)
    {
        var random = new Random(3);
        var matrix = new double[size * size];
        for (var i = 0; i < size; i++)
        {
            for (var j = 0; j <= i; j++)
            {
                matrix[i * size + j] = matrix[j * size + i] = random.NextDouble() - 0.5;
            }
        }

        var eigen = SymmetricEigen.Of((double[])matrix.Clone(), size, count);
        for (var k = 0; k < count; k++)
        {
            var x = eigen.Vectors.AsSpan(k * size, size);
            for (var i = 0; i < size; i++)
            {
                Assert.Equal(eigen.Values[k] * x[i], VectorMath.Dot(matrix.AsSpan(i * size, size), x), 1e-12);
            }

            for (var other = 0; other <= k; other++)
            {
                Assert.Equal(k == other ? 1 : 0, VectorMath.Dot(x, eigen.Vectors.AsSpan(other * size, size)), 1e-12);
            }
        }
    }

    [Fact]
    public void Equal_and_vanishing_eigenvalues_are_found()
    {
        // A projection on 20 of 60 dimensions.
        var eigen = SymmetricEigen.Of(Reflected(60, (i, j) => i == j && i % 3 == 0 ? 1 : 0), 60, 60);
        Assert.All(eigen.Values[..20], v => Assert.Equal(1, v, 1e-14));
        Assert.All(eigen.Values[20..], v => Assert.Equal(0, v, 1e-14));
        Assert.All(SymmetricEigen.Of(new double[49], 7, 7).Values, v => Assert.Equal(0, v));
    }

    [Fact]
    public void Threads_do_not_change_bits()
    {
        var matrix = Reflected(300, (i, j) => 1.0 / (1 + i + j));
        var one = SymmetricEigen.Of((double[])matrix.Clone(), 300, 300);
        var three = SymmetricEigen.Of((double[])matrix.Clone(), 300, 300, 3);
        Assert.Equal(one.Values, three.Values);
        Assert.Equal(one.Vectors, three.Vectors);
    }

    [Fact]
    public void A_matrix_with_NaN_is_refused()
    {
        var matrix = Reflected(10, (i, j) => i + j);
        matrix[35] = double.NaN;
        Assert.Throws<ArithmeticException>(() => SymmetricEigen.Of(matrix, 10, 0));
    }

    private static double[] Reflected(int size, Func<int, int, double> element)
    {
        var random = new Random(size);
        var u = Enumerable.Range(0, size).Select(_ => random.NextDouble() - 0.5).ToArray();
        var length = Math.Sqrt(u.Sum(x => x * x));
        double H(int i, int j) => (i == j ? 1 : 0) - 2 * u[i] * u[j] / (length * length);
        var half = new double[size * size];
        var whole = new double[size * size];
        for (var i = 0; i < size; i++)
        {
            for (var j = 0; j < size; j++)
            {
                half[i * size + j] = Enumerable.Range(0, size).Sum(k => H(i, k) * element(k, j));
            }
        }

        for (var i = 0; i < size; i++)
        {
            for (var j = 0; j <= i; j++)
            {
                whole[i * size + j] = whole[j * size + i] = Enumerable.Range(0, size).Sum(k => half[i * size + k] * H(k, j));
            }
        }

        return whole;
    }
}
