using Build.ML.Graph;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;

namespace Build.ML.Calibration.Tests;

/// <summary>Small models with seeded weights.</summary>
static class Models
{
    /// <summary>A residual stack of normalized two-layer blocks, weights of half precision behind a Cast: [n,width] → [n,width].</summary>
    public static Model Deep(int layers, int width, int opset = 17)
    {
        var model = new Model(new OnnxGraph("deep"), opset) { IrVersion = 8 };
        var graph = model.Graph;
        var x = graph.AddInput("x", Floats(new Dimension("n"), width));
        for (var layer = 0; layer < layers; layer++)
        {
            var seed = layer;
            var half = new Tensor(DataType.Float16, [width, width], new ComputedContent(2L * width * width, () => Numbers.Halves(seed, width * width, 1 / Math.Sqrt(width))));
            var weight = graph.Add("Cast", [graph.AddInitializer($"w{layer}", half)], $"weight{layer}", [NodeAttribute.Int("to", 1)]);
            var norm = graph.Add("LayerNormalization", [x, graph.AddInitializer($"g{layer}", Numbers.Tensor(1000 + layer, 0.3, width))], $"norm{layer}");
            var product = graph.Add("MatMul", [norm, weight], $"product{layer}");
            x = graph.Add("Add", [x, graph.Add("Tanh", [product], $"tanh{layer}")], $"sum{layer}");
        }

        return Return(model, x, new Dimension("n"), width);
    }

    /// <summary>Convolutions with a skip, pooling and an If whose branches read outer values: [n,3,12,12] → [n,8].</summary>
    public static Model Branching()
    {
        var model = new Model(new OnnxGraph("branching"), 17) { IrVersion = 8 };
        var graph = model.Graph;
        var x = graph.AddInput("x", Floats(new Dimension("n"), 3, 12, 12));
        var stem = graph.Add("Relu", [Conv(graph, x, 1, 3, 8, "stem")], "stem_relu");
        var inner = graph.Add("Relu", [Conv(graph, stem, 2, 8, 8, "inner")], "inner_relu");
        var sum = graph.Add("Add", [stem, Conv(graph, inner, 3, 8, 8, "outer")], "sum");
        var mean = graph.Add("ReduceMean", [sum], "mean", [NodeAttribute.Int("keepdims", 0)]);
        var positive = graph.Add("Greater", [mean, graph.AddInitializer("zero", Tensor.Scalar(0f))], "positive");
        var chosen = graph.Add("If", [positive], "chosen", [NodeAttribute.Graph("then_branch", Branch("then", sum, inner)), NodeAttribute.Graph("else_branch", Branch("else", inner, stem))]);
        var flat = graph.Add("Flatten", [graph.Add("GlobalAveragePool", [chosen], "average")], "flat");
        var y = graph.Add("Gemm", [flat, graph.AddInitializer("fc", Numbers.Tensor(4, 0.4, 8, 8))], "y", [NodeAttribute.Int("transB", 1)]);
        return Return(model, y, new Dimension("n"), 8);
    }

    static OnnxGraph Branch(string name, Value first, Value second)
    {
        var branch = new OnnxGraph(name);
        branch.AddOutput(branch.Add("Sub", [first, second], name + "_out"));
        return branch;
    }

    static Value Conv(OnnxGraph graph, Value x, int seed, long inputs, long outputs, string name) => graph.Add(
        "Conv", [x, graph.AddInitializer(name + "_w", Numbers.Tensor(seed, 1 / Math.Sqrt(inputs * 9), outputs, inputs, 3, 3))], name,
        [NodeAttribute.Ints("kernel_shape", 3, 3), NodeAttribute.Ints("pads", 1, 1, 1, 1)]);

    static Model Return(Model model, Value y, params Dimension[] dimensions)
    {
        y.Type = Floats(dimensions);
        model.Graph.AddOutput(y);
        return model;
    }

    static TensorType Floats(params Dimension[] dimensions) => new(DataType.Float, new Shape(dimensions));
}
