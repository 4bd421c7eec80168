using Build.ML.Calibration.LinearAlgebra;

namespace Build.ML.Quantization.Rotation;

/// <summary>An orthogonal matrix of equal blocks on the diagonal: one block for a residual stream, one for each head of attention values.</summary>
/// <param name="Size">Size of a block.</param>
/// <param name="Blocks">Row-major [Size, Size] each; null stands for the identity.</param>
internal sealed record BlockRotation(int Size, IReadOnlyList<float[]?> Blocks)
{
    /// <summary>Channels rotated.</summary>
    public int Channels => Size * Blocks.Count;

    /// <summary>Rotates the rows' dimension of a matrix: X ← Rᵀ·X.</summary>
    public unsafe void Rows(float[] x, int columns, int threads) => Apply(x, columns, threads, alongRows: true);

    /// <summary>Rotates the columns' dimension: X ← X·R.</summary>
    public unsafe void Columns(float[] x, int columns, int threads) => Apply(x, columns, threads, alongRows: false);

    private unsafe void Apply(float[] x, int columns, int threads, bool alongRows)
    {
        var rows = x.Length / columns;
        var result = new float[x.Length];
        fixed (float* from = x, to = result)
        {
            for (var b = 0; b < Blocks.Count; b++)
            {
                var source = new MatrixView(from, rows, columns, columns, 1);
                var target = new MatrixView(to, rows, columns, columns, 1);
                fixed (float* r = Blocks[b] ?? OrthogonalMatrix.Identity(Size))
                {
                    var rotation = new MatrixView(r, Size, Size, Size, 1);
                    if (alongRows)
                    {
                        MatrixProduct.Add(target.Block(b * Size, 0, Size, columns), rotation.Transposed, source.Block(b * Size, 0, Size, columns), threads: threads);
                    }
                    else
                    {
                        MatrixProduct.Add(target.Block(0, b * Size, rows, Size), source.Block(0, b * Size, rows, Size), rotation, threads: threads);
                    }
                }
            }
        }

        result.CopyTo(x, 0);
    }
}
