using Build.ML.Calibration.LinearAlgebra;

namespace Build.ML.Calibration.Tests.LinearAlgebra;

/// <summary>Makes and compares matrices.</summary>
static class Matrices
{
    /// <summary>Normally distributed with deviation 1, from a seed.</summary>
    public static FloatMatrix Normal(int seed, int rows, int columns)
    {
        var matrix = new FloatMatrix(rows, columns);
        var values = Numbers.Normal(seed, (long)rows * columns, 1);
        for (var i = 0; i < rows; i++)
        {
            values.AsSpan(i * columns, columns).CopyTo(matrix.Row(i));
        }

        return matrix;
    }

    public static FloatMatrix Transposed(FloatMatrix matrix)
    {
        var transposed = new FloatMatrix(matrix.Columns, matrix.Rows);
        for (nint i = 0; i < matrix.Rows; i++)
        {
            for (nint j = 0; j < matrix.Columns; j++)
            {
                transposed[j, i] = matrix[i, j];
            }
        }

        return transposed;
    }

    /// <summary>factor·A·B in binary64.</summary>
    public static double[,] Product(FloatMatrix a, FloatMatrix b, double factor)
    {
        var product = new double[a.Rows, b.Columns];
        for (nint i = 0; i < a.Rows; i++)
        {
            for (nint k = 0; k < a.Columns; k++)
            {
                var x = factor * a[i, k];
                var row = b.Row(k);
                for (var j = 0; j < row.Length; j++)
                {
                    product[i, j] += x * row[j];
                }
            }
        }

        return product;
    }

    public static void Equal(double[,] expected, FloatMatrix actual, double tolerance, bool transposed = false)
    {
        for (var i = 0; i < expected.GetLength(0); i++)
        {
            for (var j = 0; j < expected.GetLength(1); j++)
            {
                Assert.Equal(expected[i, j], transposed ? actual[j, i] : actual[i, j], tolerance);
            }
        }
    }

    public static void SameBits(FloatMatrix expected, FloatMatrix actual)
    {
        for (nint i = 0; i < expected.Rows; i++)
        {
            Assert.True(expected.Row(i).SequenceEqual(actual.Row(i)), $"row {i}");
        }
    }
}
