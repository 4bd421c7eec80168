using System.Numerics.Tensors;
using Build.ML.Calibration.LinearAlgebra;
using Build.ML.Quantization.Blocks;

namespace Build.ML.Quantization.Awq;

/// <summary>
/// Coordinate descent over the codes of a row (QuantEase, Behdin et al. 2023, arXiv 2309.01885): with all others fixed, the best value of weight j is q_j − (E·H)_j / H_jj, rounded to the nearest code;
/// after each sweep the scale of each block takes its least-squares value for the codes it has. No step raises the output error E·H·Eᵀ.
/// </summary>
/// <param name="matrix">Codes, scales and zero points; improved in place.</param>
/// <param name="hessian">2/n·Σ x·xᵀ.</param>
internal sealed class CodeDescent(BlockQuantizedMatrix matrix, FloatMatrix hessian)
{
    private readonly BlockFormat _format = matrix.Format;
    private readonly int _block = matrix.Format.Block(matrix.Columns);
    private readonly float[] _step = new float[matrix.Columns];
    private readonly float[] _product = new float[matrix.Columns];

    /// <summary>Descends on one row.</summary>
    /// <param name="row">The row.</param>
    /// <param name="errors">E = Q − W of the row, kept up to date.</param>
    /// <param name="products">E·H, kept up to date.</param>
    /// <param name="sweeps">How often all codes are gone through.</param>
    public void Run(int row, Span<float> errors, Span<float> products, int sweeps)
    {
        for (var sweep = 0; sweep < sweeps; sweep++)
        {
            var changed = Codes(row, errors, products);
            Scales(row, errors, products);
            if (!changed)
            {
                return;
            }
        }
    }

    private bool Codes(int row, Span<float> errors, Span<float> products)
    {
        var codes = matrix.CodesOf(row);
        var scales = matrix.ScalesOf(row);
        var changed = false;
        for (var j = 0; j < codes.Length; j++)
        {
            var curvature = hessian[j, j];
            if (curvature <= 0)
            {
                continue; // an input that is always 0
            }

            var scale = scales[j / _block];
            var move = -products[j] / curvature / scale; // in codes
            var code = Math.Clamp((int)MathF.Round(codes[j] + move), _format.Least, _format.Greatest);
            if (code == codes[j])
            {
                continue;
            }

            var difference = (code - codes[j]) * scale;
            codes[j] = (byte)code;
            errors[j] += difference;
            TensorPrimitives.MultiplyAdd(hessian.Row(j), difference, products, products);
            changed = true;
        }

        return changed;
    }

    // Q_b = Δ·v with v = codes − zero point: f(Δ + d) − f(Δ) = 2·d·(E·H)_b·v + d²·v·H_bb·v, least at d = −(E·H)_b·v / (v·H_bb·v).
    private void Scales(int row, Span<float> errors, Span<float> products)
    {
        var codes = matrix.CodesOf(row);
        var scales = matrix.ScalesOf(row);
        var zeroPoints = matrix.ZeroPointsOf(row);
        for (var b = 0; b < scales.Length; b++)
        {
            var start = b * _block;
            var length = Math.Min(_block, codes.Length - start);
            var zeroPoint = _format.Symmetric ? _format.Middle : zeroPoints[b];
            var step = _step.AsSpan(0, length);
            var product = _product.AsSpan(0, length);
            product.Clear();
            for (var i = 0; i < length; i++)
            {
                step[i] = codes[start + i] - zeroPoint;
                TensorPrimitives.MultiplyAdd(hessian.Row(start + i).Slice(start, length), step[i], product, product);
            }

            var curvature = TensorPrimitives.Dot<float>(product, step);
            if (curvature <= 0)
            {
                continue;
            }

            var slope = TensorPrimitives.Dot<float>(products.Slice(start, length), step);
            var scale = _format.Storable(scales[b] - slope / curvature);
            var change = scale - scales[b];
            if (change == 0 || 2 * change * slope + change * change * curvature >= 0)
            {
                continue; // rounding the scale to its type would undo it
            }

            scales[b] = scale;
            for (var i = 0; i < length; i++)
            {
                var difference = change * step[i];
                errors[start + i] += difference;
                TensorPrimitives.MultiplyAdd(hessian.Row(start + i), difference, products, products);
            }
        }
    }
}
