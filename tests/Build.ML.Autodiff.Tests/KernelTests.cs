using Build.ML.Abstractions.Inference;
using Build.ML.Autodiff.Tests.Cases;
using Build.ML.Graph;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;
using Build.ML.OnnxRuntime;

namespace Build.ML.Autodiff.Tests;

/// <summary>Kernels written in C# against the runtime's own operators, on sizes that fill every tile of theirs.</summary>
public sealed class KernelTests
{
    static readonly OnnxRuntimeInference Inference = new();

    [Theory]
    [InlineData(3, 5, 9, 20, 3, 3, 1, 1, 1, 1)]   // several tiles, outputs beyond a multiple of eight
    [InlineData(9, 8, 16, 7, 5, 5, 1, 2, 1, 1)]   // several images at once
    [InlineData(2, 3, 8, 40, 3, 3, 1, 1, 1, 1)]   // runs longer than are taken at a time
    [InlineData(5, 4, 8, 13, 3, 3, 2, 1, 1, 1)]   // strides
    [InlineData(5, 4, 8, 16, 3, 2, 2, 1, 1, 2)]   // strides over even sizes, groups, uneven kernel
    [InlineData(2, 6, 4, 17, 3, 3, 3, 0, 2, 2)]   // stride and dilation
    [InlineData(3, 12, 12, 19, 3, 3, 1, 1, 1, 12)]
    [InlineData(3, 12, 12, 19, 5, 5, 2, 2, 1, 12)]
    [InlineData(3, 5, 24, 10, 1, 1, 2, 0, 1, 1)]
    [InlineData(4, 16, 24, 6, 1, 1, 1, 0, 1, 1)]
    public void Convolutions_and_their_gradients_agree(int batch, int channels, int outputs, int size, int rows, int columns, int stride, int pad, int dilation, int group)
    {
        using var model = new Model(opset: 21);
        var random = new CaseRandom(1);
        var x = model.Graph.AddInitializer("x", random.Normal(batch, channels, size, size + 3));
        var w = model.Graph.AddInitializer("w", random.Normal(outputs, channels / group, rows, columns));
        var b = model.Graph.AddInitializer("b", random.Normal(outputs));
        model.Graph.AddOutput(model.Graph.Add(
            "Conv", [x, w, b], "y",
            [
                NodeAttribute.Ints("strides", stride, stride), NodeAttribute.Ints("pads", pad, pad, pad, pad), NodeAttribute.Ints("dilations", dilation, dilation),
                NodeAttribute.Int("group", group),
            ]));
        Agree(model);
    }

    [Theory]
    [InlineData(2, 2, 0, 1)]
    [InlineData(3, 2, 1, 1)]
    [InlineData(2, 1, 0, 2)]
    public void Gradients_of_largest_elements_agree(int kernel, int stride, int pad, int dilation)
    {
        using var model = new Model(opset: 21);
        var x = model.Graph.AddInitializer("x", new CaseRandom(1).Normal(3, 5, 21, 40));
        model.Graph.AddOutput(model.Graph.Add(
            "MaxPool", [x], "y",
            [
                NodeAttribute.Ints("kernel_shape", kernel, kernel), NodeAttribute.Ints("strides", stride, stride), NodeAttribute.Ints("pads", pad, pad, pad, pad),
                NodeAttribute.Ints("dilations", dilation, dilation),
            ]));
        Agree(model);
    }

    // Few levels: over many the runtime's sums, Σg·round(v) − Σg·v, lose four digits, which the kernel's Σg·(round(v) − v) does not.
    [Theory]
    [InlineData(0, 15)]
    [InlineData(-8, 7)]
    public void Fake_quantization_agrees(int low, int high)
    {
        using var model = new Model(opset: 21);
        var graph = model.Graph;
        var x = graph.AddInitializer("x", new CaseRandom(1).Normal(7, 5001));
        var s = graph.AddInitializer("s", Tensor.Of([0.0137f], 1));
        var (least, greatest) = (graph.AddInitializer("low", Tensor.Scalar((float)low)), graph.AddInitializer("high", Tensor.Scalar((float)high)));
        var rounded = graph.Add("Round", [graph.Add("Clip", [graph.Add("Div", [x, s], "steps"), least, greatest], "clipped")], "rounded");
        rounded.Producer!.PassStraightThrough();
        graph.AddOutput(graph.Add("Mul", [rounded, s], "y"));
        Agree(model);
    }

    [Fact]
    public void Batch_normalizations_agree()
    {
        using var model = new Model(opset: 21);
        var random = new CaseRandom(1);
        Value Of(string name, Tensor tensor) => model.Graph.AddInitializer(name, tensor);
        model.Graph.AddOutput(model.Graph.Add(
            "BatchNormalization",
            [
                Of("x", random.Uniform(99, 101, 7, 19, 5, 9)), Of("scale", random.Normal(19)), Of("bias", random.Normal(19)), Of("mean", random.Normal(19)),
                Of("variance", random.Uniform(1, 2, 19)),
            ],
            "y"));
        Agree(model);
    }

    [Theory]
    [InlineData("Relu")]
    [InlineData("Clip")]
    public void Gradients_inside_bounds_agree(string opType)
    {
        using var model = new Model(opset: 21);
        var x = model.Graph.AddInitializer("x", new CaseRandom(1).Normal(3, 7001));
        Value[] bounds = opType == "Clip" ? [model.Graph.AddInitializer("low", Tensor.Scalar(-0.5f)), model.Graph.AddInitializer("high", Tensor.Scalar(1f))] : [];
        model.Graph.AddOutput(model.Graph.Add(opType, [x, .. bounds], "y"));
        Agree(model);
    }

    static void Agree(Model model)
    {
        var own = Results(model, kernels: true, 1, out var usesKernels);
        var runtime = Results(model, kernels: false, 1, out _);
        Assert.True(usesKernels);
        Assert.Equal(runtime.Count, own.Count);
        foreach (var (name, expected) in runtime)
        {
            // Float sums of some thousand terms in another order.
            var scale = expected.Max(Math.Abs);
            for (var i = 0; i < expected.Length; i++)
                Assert.True(Math.Abs(expected[i] - own[name][i]) <= 2e-5 * scale, $"{name}[{i}]: {own[name][i]} in place of {expected[i]}, the largest being {scale}.");
        }
        foreach (var (name, twoThreads) in Results(model, kernels: true, 2, out _))
            Assert.Equal(own[name], twoThreads); // bit by bit
    }

    static Dictionary<string, float[]> Results(Model model, bool kernels, int threads, out bool usesKernels)
    {
        var builder = new TrainingModelBuilder(model, new() { Kernels = kernels ? Inference.Kernels : [], Trainable = v => v.Name is not ("low" or "high") });
        var y = builder.Outputs[0];
        var loss = builder.Ops.Total(builder.Ops.Mul(y, builder.Ops.Constant(new CaseRandom(2).Normal([.. y.Sizes()]))));
        using var training = builder.Differentiate(loss, [KeyValuePair.Create("y", y)]);
        usesKernels = training.Model.OperatorSets[GraphOps.KernelDomain] > 0;
        using var session = Inference.Open(training.Model, new InferenceOptions { Threads = threads });
        var feeds = training.Parameters.Select(p => KeyValuePair.Create(p.Input, model.Graph.Find(p.Name)!.Initializer!));
        return session.Outputs.Zip(session.Run([.. feeds])).Where(r => r.First != training.Loss)
            .ToDictionary(r => training.Extra.Any(e => e.Key == r.First) ? "y" : r.First, r => r.Second.ToArray<float>());
    }
}
