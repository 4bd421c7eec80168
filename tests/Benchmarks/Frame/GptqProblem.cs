using System.Runtime.InteropServices;
using Build.ML.Calibration.LinearAlgebra;

namespace Build.ML.Benchmarks.Frame;

/// <summary>
/// A layer as language models have them, from a seed: inputs are mixtures of a few hundred sources and noise of their own, channels differ in size and some are outliers;
/// weights are normal. Of the batches of inputs some are distinct, and taken in turn.
/// </summary>
internal sealed class GptqProblem
{
    private const int Sources = 256;

    private readonly float[] _weights;
    private readonly FloatMatrix _inputs;

    private GptqProblem(float[] weights, FloatMatrix inputs, int rows, int tokens, int batches) =>
        (_weights, _inputs, Rows, Tokens, Batches) = (weights, inputs, rows, tokens, batches);

    public int Rows { get; }

    public int Columns => (int)_inputs.Columns;

    /// <summary>Inputs of a batch.</summary>
    public int Tokens { get; }

    public int Batches { get; }

    public static GptqProblem Create(int rows, int columns, int tokens, int batches, int distinct)
    {
        var random = new Random(columns);
        var weights = new float[(long)rows * columns];
        Fill(random, weights, 0.02);
        var inputs = new FloatMatrix((long)tokens * Math.Min(distinct, batches), columns);
        using var sources = new FloatMatrix(inputs.Rows, Sources);
        using var mixture = new FloatMatrix(Sources, columns);
        for (nint i = 0; i < inputs.Rows; i++)
        {
            Fill(random, inputs.Row(i), 0.7);
            Fill(random, sources.Row(i), 1);
        }

        for (nint i = 0; i < Sources; i++)
        {
            Fill(random, mixture.Row(i), 1 / Math.Sqrt(Sources));
        }

        MatrixProduct.Add(inputs.View, sources.View, mixture.View, threads: Environment.ProcessorCount);
        var sizes = new float[columns];
        Fill(random, sizes, 0.5);
        for (var j = 0; j < columns; j++)
        {
            sizes[j] = MathF.Exp(sizes[j]) * (random.Next(500) == 0 ? 20 : 1);
        }

        for (nint i = 0; i < inputs.Rows; i++)
        {
            System.Numerics.Tensors.TensorPrimitives.Multiply(inputs.Row(i), sizes, inputs.Row(i));
        }

        return new(weights, inputs, rows, tokens, batches);
    }

    public ReadOnlySpan<float> Row(int row) => _weights.AsSpan(row * Columns, Columns);

    public void Read(int firstRow, int rows, Span<float> destination) => _weights.AsSpan(firstRow * Columns, rows * Columns).CopyTo(destination);

    /// <summary>Writes weights.f32 and inputs.f32.</summary>
    public void Write(string folder)
    {
        File.WriteAllBytes(Path.Combine(folder, "weights.f32"), MemoryMarshal.AsBytes(_weights.AsSpan()));
        using var inputs = File.Create(Path.Combine(folder, "inputs.f32"));
        for (nint i = 0; i < _inputs.Rows; i++)
        {
            inputs.Write(MemoryMarshal.AsBytes(_inputs.Row(i)));
        }
    }

    /// <summary>2/n·Σ x·xᵀ over all batches.</summary>
    public unsafe FloatMatrix Hessian(int threads)
    {
        using var accumulator = new HessianAccumulator(Columns, threads);
        for (var batch = 0; batch < Batches; batch++)
        {
            var first = batch * (nint)Tokens % _inputs.Rows;
            accumulator.Add(new ReadOnlySpan<float>(_inputs.View.Address(first, 0), Tokens * Columns));
        }

        return accumulator.Finish();
    }

    /// <summary>trace((W−Ŵ)·H·(W−Ŵ)ᵀ) of two solutions.</summary>
    public (double Own, double Peer) Errors(float[] own, float[] peer)
    {
        using var hessian = Hessian(Environment.ProcessorCount);
        return (Error(own, hessian), Error(peer, hessian));
    }

    private double Error(float[] solution, FloatMatrix hessian)
    {
        using var difference = new FloatMatrix(Rows, Columns);
        using var product = new FloatMatrix(Rows, Columns);
        for (var row = 0; row < Rows; row++)
        {
            System.Numerics.Tensors.TensorPrimitives.Subtract(Row(row), solution.AsSpan(row * Columns, Columns), difference.Row(row));
        }

        MatrixProduct.Add(product.View, difference.View, hessian.View, threads: Environment.ProcessorCount);
        var error = 0d;
        for (nint row = 0; row < Rows; row++)
        {
            error += System.Numerics.Tensors.TensorPrimitives.Dot(difference.Row(row), product.Row(row));
        }

        return error;
    }

    // Box and Muller.
    private static void Fill(Random random, Span<float> values, double deviation)
    {
        for (var i = 0; i < values.Length; i += 2)
        {
            var radius = deviation * Math.Sqrt(-2 * Math.Log(1 - random.NextDouble()));
            var (sine, cosine) = Math.SinCos(2 * Math.PI * random.NextDouble());
            values[i] = (float)(radius * cosine);
            if (i + 1 < values.Length)
            {
                values[i + 1] = (float)(radius * sine);
            }
        }
    }
}
