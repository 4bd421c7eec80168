using Build.ML.Graph;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;

namespace Build.ML.Quantization.Tests;

/// <summary>Small models with seeded weights.</summary>
static class Models
{
    /// <summary>Two matrix products with a bias and a ReLU between: [n,48] → [n,24].</summary>
    public static Model Perceptron(long opset = 17)
    {
        var model = new Model(new OnnxGraph("perceptron"), opset) { IrVersion = 8 };
        var graph = model.Graph;
        var x = graph.AddInput("x", new TensorType(DataType.Float, new Shape(new Dimension("n"), 48)));
        var hidden = graph.Add("MatMul", [x, graph.AddInitializer("w1", Numbers.Tensor(1, 0.15, 48, 64))], "first");
        hidden = graph.Add("Add", [hidden, graph.AddInitializer("b1", Numbers.Tensor(2, 0.1, 64))], "biased");
        hidden = graph.Add("Relu", [hidden], "hidden");
        var y = graph.Add(
            "Gemm",
            [hidden, graph.AddInitializer("w2", Numbers.Tensor(3, 0.15, 24, 64)), graph.AddInitializer("b2", Numbers.Tensor(4, 0.1, 24))],
            "y",
            [NodeAttribute.Int("transB", 1), NodeAttribute.Float("alpha", 0.5f), NodeAttribute.Float("beta", 2)]);
        return Return(model, y, new Dimension("n"), 24);
    }

    /// <summary>A residual network of 3×3 convolutions with pooling, a hard swish and a classifier: [n,3,16,16] → [n,10].</summary>
    public static Model Residual(long opset = 17)
    {
        var model = new Model(new OnnxGraph("residual"), opset) { IrVersion = 8 };
        var graph = model.Graph;
        var x = graph.AddInput("x", new TensorType(DataType.Float, new Shape(new Dimension("n"), 3, 16, 16)));
        var stem = graph.Add("Relu", [Conv(graph, x, 10, 3, 16, "stem")], "stem_relu");
        var inner = graph.Add("Relu", [Conv(graph, stem, 20, 16, 16, "inner")], "inner_relu");
        var sum = graph.Add("Add", [stem, Conv(graph, inner, 30, 16, 16, "outer")], "sum");
        var pooled = graph.Add("MaxPool", [sum], "pooled", [NodeAttribute.Ints("kernel_shape", 2, 2), NodeAttribute.Ints("strides", 2, 2)]);
        var swish = Conv(graph, pooled, 40, 16, 32, "swish");
        var gate = graph.Add("HardSigmoid", [swish], "gate", [NodeAttribute.Float("alpha", 1f / 6), NodeAttribute.Float("beta", 0.5f)]);
        var last = Conv(graph, graph.Add("Mul", [swish, gate], "swished"), 50, 32, 32, "last");
        var flat = graph.Add("Flatten", [graph.Add("GlobalAveragePool", [last], "average")], "flat");
        var y = graph.Add(
            "Gemm", [flat, graph.AddInitializer("fc", Numbers.Tensor(60, 0.2, 10, 32)), graph.AddInitializer("fc_bias", Numbers.Tensor(61, 0.1, 10))], "y",
            [NodeAttribute.Int("transB", 1)]);
        return Return(model, y, new Dimension("n"), 10);
    }

    /// <summary>Matrix products with a tanh between, weights and activations of half precision: float [n,48] → float [n,48].</summary>
    public static Model HalfChain(int layers)
    {
        var model = new Model(new OnnxGraph("half"), 21) { IrVersion = 10 };
        var graph = model.Graph;
        var x = graph.AddInput("x", new TensorType(DataType.Float, new Shape(new Dimension("n"), 48)));
        var value = graph.Add("Cast", [x], "x_half", [NodeAttribute.Int("to", (long)DataType.Float16)]);
        for (var layer = 0; layer < layers; layer++)
        {
            var weight = Tensor.Of(Array.ConvertAll(Numbers.Normal(70 + layer, 48 * 48, 0.3), w => (Half)w), 48, 48);
            value = graph.Add("Tanh", [graph.Add("MatMul", [value, graph.AddInitializer($"w{layer}", weight)], $"product{layer}")], $"tanh{layer}");
        }

        return Return(model, graph.Add("Cast", [value], "y", [NodeAttribute.Int("to", (long)DataType.Float)]), new Dimension("n"), 48);
    }

    /// <summary>Branches joined in every way that has an integer kernel: padded and added, pooled and concatenated, resized: [n,3,16,16] → [n,8,16,16].</summary>
    public static Model Branches()
    {
        var model = new Model(new OnnxGraph("branches"), 17) { IrVersion = 8 };
        var graph = model.Graph;
        var x = graph.AddInput("x", new TensorType(DataType.Float, new Shape(new Dimension("n"), 3, 16, 16)));
        var first = graph.Add("Relu", [Conv(graph, x, 10, 3, 8, "first")], "first_relu");
        var second = Conv(graph, first, 20, 8, 12, "second");
        var pads = graph.AddInitializer("pads", Tensor.Of(new long[] { 0, 2, 0, 0, 0, 2, 0, 0 }, 8));
        var sum = graph.Add("Relu", [graph.Add("Add", [second, graph.Add("Pad", [first, pads], "padded")], "sum")], "sum_relu");
        var pooled = graph.Add("AveragePool", [sum], "pooled", [NodeAttribute.Ints("kernel_shape", 2, 2), NodeAttribute.Ints("strides", 2, 2)]);
        var largest = graph.Add("MaxPool", [first], "largest", [NodeAttribute.Ints("kernel_shape", 2, 2), NodeAttribute.Ints("strides", 2, 2)]);
        var joined = graph.Add("Concat", [pooled, largest], "joined", [NodeAttribute.Int("axis", 1)]);
        var sizes = graph.AddInitializer("scales", Tensor.Of(new[] { 1f, 1, 2, 2 }, 4));
        var resized = graph.Add("Resize", [joined, null, sizes], "resized", [NodeAttribute.String("mode", "nearest")]);
        return Return(model, Conv(graph, resized, 30, 20, 8, "y"), new Dimension("n"), 8, 16, 16);
    }

    private static Value Conv(OnnxGraph graph, Value x, int seed, long inputs, long outputs, string name) => graph.Add(
        "Conv",
        [
            x,
            graph.AddInitializer(name + "_w", Numbers.Tensor(seed, 1 / Math.Sqrt(inputs * 9), outputs, inputs, 3, 3)),
            graph.AddInitializer(name + "_b", Numbers.Tensor(seed + 1, 0.1, outputs)),
        ],
        name,
        [NodeAttribute.Ints("kernel_shape", 3, 3), NodeAttribute.Ints("pads", 1, 1, 1, 1)]);

    private static Model Return(Model model, Value y, params Dimension[] dimensions)
    {
        y.Type = new TensorType(DataType.Float, new Shape(dimensions));
        model.Graph.AddOutput(y);
        return model;
    }
}
