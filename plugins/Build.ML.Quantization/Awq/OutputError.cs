using System.Numerics.Tensors;
using Build.ML.Calibration.LinearAlgebra;

namespace Build.ML.Quantization.Awq;

/// <summary>What errors of weights do to outputs: tr(E·H·Eᵀ)/2, the mean over calibration of ‖E·x‖².</summary>
internal static class OutputError
{
    /// <summary>Adds C = E·H and sums E∘C of some rows.</summary>
    /// <param name="error">E, [rows, channels].</param>
    /// <param name="hessian">H.</param>
    /// <param name="scratch">[rows, channels], becomes E·H.</param>
    /// <param name="rows">Rows in use.</param>
    public static double Of(FloatMatrix error, FloatMatrix hessian, FloatMatrix scratch, int rows)
    {
        for (var row = 0; row < rows; row++)
        {
            scratch.Row(row).Clear();
        }

        MatrixProduct.Add(scratch.View.Block(0, 0, rows, scratch.Columns), error.View.Block(0, 0, rows, error.Columns), hessian.View);
        var sum = 0d;
        for (var row = 0; row < rows; row++)
        {
            sum += TensorPrimitives.Dot<float>(error.Row(row), scratch.Row(row));
        }

        return sum / 2;
    }
}
