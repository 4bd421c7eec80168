using Build.ML.Abstractions.Data;
using Build.ML.Abstractions.References;
using Build.ML.Abstractions.Techniques;
using Build.ML.Calibration.LinearAlgebra;
using Build.ML.Graph;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;
using Build.ML.OnnxRuntime;

namespace Build.ML.LowRank.Tests;

/// <summary>Small models, and what they answer.</summary>
static class Networks
{
    public static readonly DataReference Data = new("calibration");

    public static StepContext Context(DataSet? data = null, int threads = 2) => new()
    {
        StepId = "lowrank",
        Data = _ => data ?? throw new InvalidOperationException("No data needed."),
        Model = _ => throw new InvalidOperationException("No other model."),
        Inference = new OnnxRuntimeInference(),
        ScratchDirectory = Path.GetTempPath(),
        Seed = 3,
        Threads = threads,
    };

    /// <summary>Outputs [m, n] of a rank, from a seed.</summary>
    public static float[] OfRank(int rows, int columns, int rank, int seed)
    {
        var (left, right) = (Numbers.Normal(seed, rows * rank, 1), Numbers.Normal(seed + 1, rank * columns, 1));
        var product = new float[rows * columns];
        for (var i = 0; i < rows; i++)
        {
            for (var j = 0; j < columns; j++)
            {
                var sum = 0d;
                for (var k = 0; k < rank; k++)
                {
                    sum += (double)left[i * rank + k] * right[k * columns + j];
                }

                product[i * columns + j] = (float)(sum / Math.Sqrt(rank * columns));
            }
        }

        return product;
    }

    /// <summary>y = op(x, w, …) for x of the given sizes.</summary>
    public static Model Of(string opType, long[] input, Tensor weight, Tensor? bias = null, params NodeAttribute[] attributes)
    {
        var graph = new OnnxGraph("layer");
        var x = graph.AddInput("x", new TensorType(DataType.Float, Shape.Of(input)));
        Value?[] inputs = [x, graph.AddInitializer("w", weight)];
        var y = graph.Add(opType, bias is null ? inputs : [.. inputs, graph.AddInitializer("b", bias)], "y", attributes);
        y.Type = new TensorType(DataType.Float);
        graph.AddOutput(y);
        return new Model(graph, 17) { IrVersion = 8 };
    }

    /// <summary>x → MatMul [widths[0], widths[1]] → Tanh → … with weights w0, w1, …</summary>
    public static Model Perceptron(int[] widths, params float[][] weights)
    {
        var graph = new OnnxGraph("perceptron");
        var value = graph.AddInput("x", new TensorType(DataType.Float, new Shape(new Dimension("n"), widths[0])));
        for (var i = 0; i < weights.Length; i++)
        {
            value = graph.Add("MatMul", [value, graph.AddInitializer($"w{i}", Tensor.Of(weights[i], widths[i], widths[i + 1]))], i == weights.Length - 1 ? "y" : $"z{i}");
            value = i == weights.Length - 1 ? value : graph.Add("Tanh", [value], $"h{i}");
        }

        value.Type = new TensorType(DataType.Float, new Shape(new Dimension("n"), widths[^1]));
        graph.AddOutput(value);
        return new Model(graph, 17) { IrVersion = 8 };
    }

    public static float[] Run(Model model, Tensor x)
    {
        Assert.DoesNotContain(model.Validate(), d => d.Severity == Graph.Diagnostics.Severity.Error);
        using var session = new OnnxRuntimeInference().Open(model);
        return session.Run([new("x", x)])[0].ToArray<float>();
    }

    public static double SquaredDistance(float[] a, float[] b) => a.Zip(b, (p, q) => Math.Pow((double)p - q, 2)).Sum();

    /// <summary>A difference of at most this part of the largest answer.</summary>
    public static void AssertSame(float[] expected, float[] actual, double part)
    {
        var largest = expected.Max(Math.Abs);
        Assert.All(expected.Zip(actual), p => Assert.Equal(p.First, p.Second, part * largest));
    }

    /// <summary>Singular values of a row-major matrix.</summary>
    public static float[] SingularValuesOf(float[] matrix, int rows, int columns)
    {
        using var a = Matrix(matrix, rows, columns);
        using var svd = TruncatedSvd.Of(a.View, Math.Min(rows, columns));
        return svd.Values;
    }

    public static FloatMatrix Matrix(float[] elements, int rows, int columns)
    {
        var matrix = new FloatMatrix(rows, columns);
        for (var row = 0; row < rows; row++)
        {
            elements.AsSpan(row * columns, columns).CopyTo(matrix.Row(row));
        }

        return matrix;
    }

    /// <summary>Σ σ² after the first <paramref name="rank"/>.</summary>
    public static double Tail(float[] values, int rank) => values.Skip(rank).Sum(v => (double)v * v);

    public static double Figure(LayerOutcome layer, string name) => layer.Figures.Single(f => f.Key == name).Value;
}
