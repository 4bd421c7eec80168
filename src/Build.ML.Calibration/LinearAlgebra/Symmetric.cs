namespace Build.ML.Calibration.LinearAlgebra;

/// <summary>Symmetric matrices of which one triangle was computed.</summary>
public static unsafe class Symmetric
{
    private const int Edge = 64;

    /// <summary>Multiplies the upper triangle and writes it into the lower one too.</summary>
    /// <param name="matrix">[N, N].</param>
    /// <param name="factor">Multiplies every element.</param>
    /// <param name="threads">Cores to use.</param>
    public static void Complete(MatrixView matrix, float factor = 1, int threads = 1)
    {
        var size = matrix.Rows;
        Parallel.For(0, (int)((size + Edge - 1) / Edge), new ParallelOptions { MaxDegreeOfParallelism = Math.Max(threads, 1) }, strip =>
        {
            var first = (nint)strip * Edge;
            for (var column = first; column < size; column += Edge)
            {
                for (var i = first; i < nint.Min(first + Edge, size); i++)
                {
                    for (var j = nint.Max(i, column); j < nint.Min(column + Edge, size); j++)
                    {
                        var value = *matrix.Address(i, j) * factor;
                        *matrix.Address(i, j) = value;
                        *matrix.Address(j, i) = value;
                    }
                }
            }
        });
    }
}
