using System.Numerics.Tensors;
using Build.ML.Graph.Diagnostics;
using Tensor = Build.ML.Graph.Tensors.Tensor;

namespace Build.ML.Calibration.Hessians;

/// <summary>
/// Sums ‖X_j‖₂² of the columns j of what a group of layers multiplies, the diagonal of its Hessian: what methods need that do not look at how inputs go together (Wanda, Sun et al. 2023, arXiv
/// 2306.11695).
/// </summary>
/// <param name="group">The layers.</param>
public sealed class ColumnNorms(InputGroup group)
{
    // Rows added up in binary32 before they are added to the binary64 sums.
    private const int Block = 64;

    private readonly InputRows _rows = new(group);
    private readonly float[] _block = new float[group.Columns];
    private readonly double[][] _sums = [.. Enumerable.Range(0, group.Hessians).Select(_ => new double[group.Columns])];

    /// <summary>Rows seen.</summary>
    public long Count { get; private set; }

    /// <summary>Adds a batch.</summary>
    /// <param name="activation">As the layers read it.</param>
    /// <exception cref="DiagnosticException">BML5405: NaN or infinite numbers.</exception>
    public void Add(Tensor activation) => _rows.Visit(activation, null, (hessian, rows, _) =>
    {
        var columns = group.Columns;
        Count += hessian == 0 ? rows.Length / columns : 0;
        for (var start = 0; start < rows.Length; start += Block * columns)
        {
            Array.Clear(_block);
            var block = rows.Slice(start, Math.Min(Block * columns, rows.Length - start));
            for (var i = 0; i < block.Length; i += columns)
            {
                var row = block.Slice(i, columns);
                TensorPrimitives.MultiplyAdd(row, row, _block, _block);
            }

            var sums = _sums[hessian];
            for (var j = 0; j < columns; j++)
            {
                sums[j] += _block[j];
            }
        }
    });

    /// <summary>‖X_j‖₂ of each column.</summary>
    /// <param name="hessian">Group of a convolution's channels, else 0.</param>
    public float[] Of(int hessian) => Array.ConvertAll(_sums[hessian], s => (float)Math.Sqrt(s));
}
