using Build.ML.Graph;
using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;
using Build.ML.OnnxRuntime;
using Build.ML.WeightSharing.Embeddings;

namespace Build.ML.WeightSharing.Tests;

public sealed class EmbeddingSharingTests
{
    private const int Rows = 11;
    private const int Width = 6;

    [Theory]
    [InlineData("MatMul", TableStart.Average)]
    [InlineData("MatMul", TableStart.Input)]
    [InlineData("MatMul", TableStart.Output)]
    [InlineData("Gemm", TableStart.Average)]
    [InlineData("Gemm turned", TableStart.Average)]
    public void A_projection_that_is_the_table_turned_reads_the_table_without_changing_outputs(string projection, TableStart start)
    {
        using var model = Decoder(projection, equal: true);
        var before = Run(model);
        new EmbeddingSharing().Apply(model, new() { Start = start }, SharedNetworks.Context);
        Assert.Empty(model.Validate());
        Assert.All(before.Zip(Run(model)), p => Assert.Equal(p.First, p.Second, 1e-5));
        Assert.Single(model.Graph.Initializers, i => i.Initializer!.Rank == 2);
    }

    [Theory]
    [InlineData(TableStart.Average, 0.5f, 0.5f)]
    [InlineData(TableStart.Input, 1f, 0f)]
    [InlineData(TableStart.Output, 0f, 1f)]
    public void The_table_begins_as_asked_for(TableStart start, float ofInput, float ofOutput)
    {
        using var model = Decoder("MatMul", equal: false);
        float[] table = model.Graph.Find("table")!.Initializer!.ToArray<float>(), matrix = model.Graph.Find("matrix")!.Initializer!.ToArray<float>();
        new EmbeddingSharing().Apply(model, new() { Start = start }, SharedNetworks.Context);
        var shared = model.Graph.Find("table")!.Initializer!.ToArray<float>();
        for (var row = 0; row < Rows; row++)
            for (var column = 0; column < Width; column++)
                Assert.Equal((ofInput * table[row * Width + column]) + (ofOutput * matrix[column * Rows + row]), shared[row * Width + column], 1e-6);
    }

    [Fact]
    public void A_table_that_is_shared_already_is_said_to_be()
    {
        using var model = Decoder("MatMul", equal: true);
        new EmbeddingSharing().Apply(model, new(), SharedNetworks.Context);
        var error = Assert.Throws<DiagnosticException>(() => new EmbeddingSharing().Apply(model, new(), SharedNetworks.Context)).Diagnostics[0];
        Assert.Equal("BML5761", error.Code);
        Assert.Contains("already", error.Message, StringComparison.Ordinal);
    }

    private static Model Decoder(string projection, bool equal)
    {
        var graph = new OnnxGraph("decoder");
        var ids = graph.AddInput("ids", new TensorType(DataType.Int64, new Shape(new Dimension("n"))));
        var table = KMeansTests.Normal(Rows * Width, 1);
        var x = graph.Add("Gather", [graph.AddInitializer("table", Tensor.Of(table, Rows, Width)), ids], "rows");
        x = graph.Add("Tanh", [x], "state");
        var other = equal ? table : KMeansTests.Normal(Rows * Width, 2);
        var isTurned = projection == "Gemm turned";
        var matrix = new float[Rows * Width];
        for (var row = 0; row < Rows; row++)
            for (var column = 0; column < Width; column++)
                matrix[isTurned ? row * Width + column : column * Rows + row] = other[row * Width + column];
        var weight = graph.AddInitializer("matrix", isTurned ? Tensor.Of(matrix, Rows, Width) : Tensor.Of(matrix, Width, Rows));
        var logits = graph.Add(projection.Split(' ')[0], [x, weight], "logits", isTurned ? [NodeAttribute.Int("transB", 1)] : []);
        logits.Type = new TensorType(DataType.Float, new Shape(new Dimension("n"), Rows));
        graph.AddOutput(logits);
        return new Model(graph);
    }

    private static float[] Run(Model model)
    {
        using var session = new OnnxRuntimeInference().Open(model);
        return session.Run([new("ids", Tensor.Of([3L, 0, 10], 3))])[0].ToArray<float>();
    }
}
