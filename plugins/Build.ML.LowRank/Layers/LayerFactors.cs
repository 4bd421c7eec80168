using Build.ML.Calibration.Layers;
using Build.ML.Calibration.LinearAlgebra;

namespace Build.ML.LowRank.Layers;

/// <summary>Two matrices whose product stands for a layer's weight: W ≈ Up·Down. Dispose it.</summary>
/// <param name="Up">Its transpose, [rank, outputs]: row k is what hidden number k adds to the outputs.</param>
/// <param name="Down">[rank, inputs].</param>
internal sealed record LayerFactors(FloatMatrix Up, FloatMatrix Down) : IDisposable
{
    /// <summary>Length of the vector between the two layers.</summary>
    public int Rank => (int)Down.Rows;

    /// <summary>The largest rank at which two layers hold fewer numbers than the one: r·(m + n) &lt; m·n.</summary>
    public static int Limit(WeightLayer layer) => (int)(((long)layer.Rows * layer.Columns - 1) / (layer.Rows + layer.Columns));

    /// <summary>A layer's weight as a matrix [outputs, inputs], which the caller disposes.</summary>
    public static FloatMatrix Read(WeightLayer layer)
    {
        var matrix = new FloatMatrix(layer.Rows, layer.Columns);
        using var reader = layer.Open();
        var rows = Math.Max(1, (1 << 20) / layer.Columns);
        var buffer = new float[Math.Min(rows, layer.Rows) * layer.Columns];
        for (var first = 0; first < layer.Rows; first += rows)
        {
            var count = Math.Min(rows, layer.Rows - first);
            reader.Read(first, count, 0, layer.Columns, buffer);
            for (var row = 0; row < count; row++)
            {
                buffer.AsSpan(row * layer.Columns, layer.Columns).CopyTo(matrix.Row(first + row));
            }
        }

        return matrix;
    }

    /// <summary>
    /// The nearest matrix to W whose outputs lie in a space: Up = basisᵀ, Down = basis·W. Both get a fair part of the size, so that gradients reach both alike: row k of either is
    /// scaled to the length √‖row k of Down‖.
    /// </summary>
    /// <param name="basis">[rank, outputs], orthonormal rows; becomes <see cref="Up"/>.</param>
    /// <param name="weight">W [outputs, inputs].</param>
    /// <param name="threads">Cores to use; results do not depend on it.</param>
    public static LayerFactors Project(FloatMatrix basis, FloatMatrix weight, int threads)
    {
        var down = new FloatMatrix(basis.Rows, weight.Columns);
        MatrixProduct.Add(down.View, basis.View, weight.View, threads: threads);
        for (var k = 0; k < basis.Rows; k++)
        {
            var length = 0d;
            foreach (var element in down.Row(k))
            {
                length += (double)element * element;
            }

            if (length > 0)
            {
                var scale = (float)Math.Pow(length, 0.25);
                System.Numerics.Tensors.TensorPrimitives.Multiply(basis.Row(k), scale, basis.Row(k));
                System.Numerics.Tensors.TensorPrimitives.Divide(down.Row(k), scale, down.Row(k));
            }
        }

        return new(basis, down);
    }

    /// <summary>Up·Down, row by row.</summary>
    /// <param name="row">An output.</param>
    /// <param name="target">Its weights.</param>
    public void Row(int row, Span<float> target)
    {
        target.Clear();
        for (var k = 0; k < Rank; k++)
        {
            System.Numerics.Tensors.TensorPrimitives.FusedMultiplyAdd(Down.Row(k), Up[k, row], target, target);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Up.Dispose();
        Down.Dispose();
    }
}
