using Build.ML.Quantization.Blocks;

namespace Build.ML.Quantization.Tests.Gptq;

/// <summary>GPTQ as its paper derives it (arXiv 2210.17323, equations 2 and 3), in binary64: column by column, with the explicit inverse of the Hessian of the columns left.</summary>
static class GptqReference
{
    /// <summary>Rounds one row; codes in the original order of columns.</summary>
    /// <param name="weights">The row.</param>
    /// <param name="hessian">[K, K].</param>
    /// <param name="dampening">Over the mean of the diagonal.</param>
    /// <param name="order">Order of rounding.</param>
    /// <param name="format">Codes.</param>
    /// <param name="scale">Of a column.</param>
    /// <param name="zeroPoint">Of a column.</param>
    public static byte[] Solve(
        double[] weights, double[,] hessian, double dampening, int[] order, BlockFormat format, Func<int, double> scale, Func<int, int> zeroPoint)
    {
        var size = weights.Length;
        var mean = Enumerable.Range(0, size).Average(i => hessian[i, i]);
        var dampened = (double[,])hessian.Clone();
        for (var i = 0; i < size; i++)
        {
            dampened[i, i] += dampening * mean;
        }

        var inverse = Inverse(dampened);
        var w = (double[])weights.Clone();
        var codes = new byte[size];
        var left = order.ToList();
        foreach (var q in order)
        {
            var code = Math.Clamp(Math.Round(w[q] / scale(q)) + zeroPoint(q), format.Least, format.Greatest);
            codes[q] = (byte)code;
            var error = (w[q] - (code - zeroPoint(q)) * scale(q)) / inverse[q, q];
            left.Remove(q);
            foreach (var j in left)
            {
                w[j] -= error * inverse[q, j];
            }

            // The inverse for the columns left: one step of Gaussian elimination.
            foreach (var i in left)
            {
                foreach (var j in left)
                {
                    if (i != q && j != q)
                    {
                        inverse[i, j] -= inverse[i, q] * inverse[q, j] / inverse[q, q];
                    }
                }
            }
        }

        return codes;
    }

    /// <summary>(w−ŵ)·H·(w−ŵ)ᵀ.</summary>
    public static double Error(ReadOnlySpan<double> difference, double[,] hessian)
    {
        var error = 0d;
        for (var i = 0; i < difference.Length; i++)
        {
            for (var j = 0; j < difference.Length; j++)
            {
                error += difference[i] * hessian[i, j] * difference[j];
            }
        }

        return error;
    }

    /// <summary>By Gauss and Jordan.</summary>
    public static double[,] Inverse(double[,] matrix)
    {
        var size = matrix.GetLength(0);
        var a = (double[,])matrix.Clone();
        var inverse = new double[size, size];
        for (var i = 0; i < size; i++)
        {
            inverse[i, i] = 1;
        }

        for (var pivot = 0; pivot < size; pivot++)
        {
            var factor = a[pivot, pivot];
            for (var j = 0; j < size; j++)
            {
                a[pivot, j] /= factor;
                inverse[pivot, j] /= factor;
            }

            for (var i = 0; i < size; i++)
            {
                var times = a[i, pivot];
                for (var j = 0; i != pivot && j < size; j++)
                {
                    a[i, j] -= times * a[pivot, j];
                    inverse[i, j] -= times * inverse[pivot, j];
                }
            }
        }

        return inverse;
    }
}
