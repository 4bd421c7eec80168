using Build.ML.Graph.Tensors;

namespace Build.ML.Engine.Inspection;

/// <summary>Float matrices.</summary>
internal static class Matrices
{
    /// <summary>[rows, columns] as [columns, rows].</summary>
    public static Tensor Transposed(Tensor matrix)
    {
        var (rows, columns) = ((int)matrix.Sizes[0], (int)matrix.Sizes[1]);
        using var view = matrix.Read<float>();
        var values = view.Span;
        var result = new float[values.Length];
        for (var r = 0; r < rows; r++)
        {
            for (var c = 0; c < columns; c++)
            {
                result[c * rows + r] = values[r * columns + c];
            }
        }

        return Tensor.Of(result, columns, rows);
    }

    /// <summary>The identity [size, size].</summary>
    public static Tensor Identity(int size)
    {
        var values = new float[size * size];
        for (var i = 0; i < size; i++)
        {
            values[i * size + i] = 1;
        }

        return Tensor.Of(values, size, size);
    }
}
