using System.Numerics.Tensors;
using Build.ML.Abstractions.Data;
using Build.ML.Graph;
using Build.ML.Graph.Diagnostics;
using Tensor = Build.ML.Graph.Tensors.Tensor;

namespace Build.ML.Metrics.Outputs;

/// <summary>A model's output as rows of float scores over its last axis.</summary>
internal readonly struct OutputScores
{
    private readonly ReadOnlyMemory<float> _scores;

    private OutputScores(ReadOnlyMemory<float> scores, int classes) => (_scores, Classes) = (scores, classes);

    /// <summary>Size of the last axis.</summary>
    public int Classes { get; }

    /// <summary>Product of all other sizes.</summary>
    public int Rows => Classes == 0 ? 0 : _scores.Length / Classes;

    /// <summary>All scores, row after row.</summary>
    public ReadOnlySpan<float> All => _scores.Span;

    /// <summary>Scores of one row.</summary>
    public ReadOnlySpan<float> this[int row] => _scores.Span.Slice(row * Classes, Classes);

    /// <summary>Reads output number <paramref name="index"/> as floats.</summary>
    /// <exception cref="DiagnosticException">BML6102: no such output, or none of numbers with at least one axis.</exception>
    public static OutputScores Of(IReadOnlyList<Tensor> outputs, int index)
    {
        var tensor = Select(outputs, index);
        if (tensor.Rank == 0 || tensor.Type == DataType.String)
        {
            throw new DiagnosticException("BML6102", $"Output {index} is {tensor}; expected numbers with a last axis of scores. Choose another with 'output'.");
        }

        return new(Floats(tensor), checked((int)tensor.Sizes[^1]));
    }

    /// <summary>Output number <paramref name="index"/>.</summary>
    /// <exception cref="DiagnosticException">BML6102: no such output.</exception>
    public static Tensor Select(IReadOnlyList<Tensor> outputs, int index) => index < outputs.Count
        ? outputs[index]
        : throw new DiagnosticException("BML6102", $"'output' is {index}, the model has {outputs.Count} outputs, numbered from 0. Choose one of these.");

    /// <summary>The scores as one row for each sample of the batch.</summary>
    /// <exception cref="DiagnosticException">BML6102: another number of rows.</exception>
    public OutputScores OneRowFor(Batch batch) => Rows == batch.Count
        ? this
        : throw new DiagnosticException(
            "BML6102", $"The output has {Rows} rows of {Classes} scores for {batch.Count} samples; expected one row a sample. Choose another with 'output'.");

    /// <summary>Index of the largest score of a row; the first of equals.</summary>
    public int ArgMax(int row) => TensorPrimitives.IndexOfMax(this[row]);

    private static ReadOnlyMemory<float> Floats(Tensor tensor)
    {
        switch (tensor.Type)
        {
            case DataType.Float:
                return tensor.ToArray<float>();
            case DataType.Float16:
                var fromHalf = new float[tensor.Count];
                TensorPrimitives.ConvertToSingle(tensor.ToArray<Half>(), fromHalf);
                return fromHalf;
            case DataType.BFloat16:
                var upper = tensor.ToArray<ushort>();
                var bits = new float[upper.Length];
                for (var i = 0; i < bits.Length; i++)
                {
                    bits[i] = BitConverter.UInt32BitsToSingle((uint)upper[i] << 16);
                }

                return bits;
            case DataType.Double:
                return Converted(tensor.ToArray<double>());
            case DataType.Int64:
                return Converted(tensor.ToArray<long>());
            case DataType.Int32:
                return Converted(tensor.ToArray<int>());
            case DataType.Int8:
                return Converted(tensor.ToArray<sbyte>());
            case DataType.UInt8 or DataType.Bool:
                return Converted(tensor.ToArray<byte>());
            default:
                throw new DiagnosticException("BML6102", $"The output is {tensor}; expected float, float16, bfloat16, double, int8 to int64 or bool.");
        }
    }

    private static float[] Converted<T>(T[] values)
        where T : unmanaged, System.Numerics.INumberBase<T>
    {
        var floats = new float[values.Length];
        TensorPrimitives.ConvertTruncating<T, float>(values, floats);
        return floats;
    }
}
