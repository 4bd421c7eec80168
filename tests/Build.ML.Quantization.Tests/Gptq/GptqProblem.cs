using Build.ML.Calibration.Hessians;
using Build.ML.Calibration.LinearAlgebra;
using Build.ML.Quantization.Blocks;
using Build.ML.Quantization.Gptq;

namespace Build.ML.Quantization.Tests.Gptq;

/// <summary>A layer's weights and correlated inputs, one of them an outlier channel, from a seed.</summary>
sealed class GptqProblem
{
    public GptqProblem(int rows, int columns, int inputs, int seed = 1)
    {
        (Rows, Columns) = (rows, columns);
        Weights = Numbers.Normal(seed, (long)rows * columns, 0.3);
        var latent = Numbers.Normal(seed + 1, (long)inputs * columns, 1);
        var x = new float[inputs * columns];
        for (var n = 0; n < inputs; n++)
        {
            for (var j = 0; j < columns; j++)
            {
                // Neighbours share half of their variance; every 9th channel is ten times as large.
                var own = latent[n * columns + j] + latent[n * columns + (j + 1) % columns];
                x[n * columns + j] = j % 9 == 4 ? 10 * own : own;
            }
        }

        using var accumulator = new HessianAccumulator(columns, 1);
        accumulator.Add(x);
        Hessian = accumulator.Finish();
    }

    public int Rows { get; }

    public int Columns { get; }

    public float[] Weights { get; }

    public FloatMatrix Hessian { get; }

    public double[,] ExactHessian
    {
        get
        {
            var exact = new double[Columns, Columns];
            for (var i = 0; i < Columns; i++)
            {
                for (var j = 0; j < Columns; j++)
                {
                    exact[i, j] = Hessian[i, j];
                }
            }

            return exact;
        }
    }

    public void Read(int firstRow, int rows, Span<float> destination) => Weights.AsSpan(firstRow * Columns, rows * Columns).CopyTo(destination);

    public ReadOnlySpan<float> Row(int row) => Weights.AsSpan(row * Columns, Columns);

    /// <summary>A matrix rounded to nearest under scales fitted to the extremes of each block.</summary>
    public BlockQuantizedMatrix Nearest(BlockFormat format)
    {
        var matrix = new BlockQuantizedMatrix(Rows, Columns, format);
        for (var row = 0; row < Rows; row++)
        {
            BlockKernels.RoundRow(format, Row(row), matrix.CodesOf(row), matrix.ScalesOf(row), matrix.ZeroPointsOf(row));
        }

        return matrix;
    }

    public BlockQuantizedMatrix Solve(BlockFormat format, double dampening = 0.01, bool actOrder = false, int threads = 2)
    {
        var matrix = Nearest(format);
        using var factor = HessianFactor.Of(Hessian, dampening, actOrder, threads);
        GptqSolver.Solve(factor, Read, matrix, 0, Rows, threads);
        return matrix;
    }

    /// <summary>Error of each row under the Hessian as it is.</summary>
    public double[] Errors(BlockQuantizedMatrix matrix)
    {
        var hessian = ExactHessian;
        return [.. Enumerable.Range(0, Rows).Select(row => GptqReference.Error(Difference(matrix, row), hessian))];
    }

    public double[] Difference(BlockQuantizedMatrix matrix, int row)
    {
        var rounded = new float[Columns];
        matrix.Dequantize(row, rounded);
        return [.. Row(row).ToArray().Select((w, j) => (double)w - rounded[j])];
    }
}
