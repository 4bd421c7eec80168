using Build.ML.Graph;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;

namespace Build.ML.EndToEnd;

/// <summary>y = x·w with w of 8×8: the smallest model that a pruning step changes.</summary>
static class TinyModel
{
    internal static void Write(string path, int seed = 1)
    {
        var random = new Random(seed);
        var weights = new float[64];
        for (var i = 0; i < weights.Length; i++)
            weights[i] = (float)(random.NextDouble() - 0.5);
        var graph = new OnnxGraph("tiny");
        var x = graph.AddInput("x", new TensorType(DataType.Float, new Shape(new Dimension("n"), 8)));
        var y = graph.Add("MatMul", [x, graph.AddInitializer("w", Tensor.Of(weights, 8, 8))], "y");
        y.Type = new TensorType(DataType.Float, new Shape(new Dimension("n"), 8));
        graph.AddOutput(y);
        using var model = new Model(graph);
        model.Save(path);
    }
}
