using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;

namespace Build.ML.Graph.Tests.Io;

public sealed class ContentHashTests : IDisposable
{
    readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_clone_and_the_same_file_elsewhere_have_the_same_hash()
    {
        using var model = Made();
        var (first, second) = (_folder.PathOf("a/one.onnx"), _folder.PathOf("b/two.onnx"));
        model.Save(first);
        model.Save(second);
        using var one = Model.Open(first);
        using var two = Model.Open(second);
        using var clone = one.Clone();

        Assert.Matches("^[0-9a-f]{64}$", one.ContentHash());
        Assert.Equal(one.ContentHash(), two.ContentHash());
        Assert.Equal(one.ContentHash(), clone.ContentHash());
    }

    [Fact]
    public void Weights_in_the_file_and_beside_it_make_no_difference()
    {
        using var model = Made();
        var (inside, beside) = (_folder.PathOf("inside.onnx"), _folder.PathOf("beside.onnx"));
        model.Save(inside, new SaveOptions { ExternalData = ExternalData.Never });
        model.Save(beside, new SaveOptions { ExternalData = ExternalData.Always });
        using var one = Model.Open(inside);
        using var two = Model.Open(beside);

        Assert.Single(one.Files);
        Assert.Equal(2, two.Files.Count);
        Assert.Equal(one.ContentHash(), two.ContentHash());
    }

    public static TheoryData<string> Changes() => ["large weight", "small weight", "attribute", "operator", "opset", "input", "order"];

    [Theory]
    [MemberData(nameof(Changes))]
    public void A_change_of_what_is_computed_changes_it(string change)
    {
        using var model = Made();
        using var changed = Made();
        var graph = changed.Graph;
        var product = graph.Nodes.First();
        switch (change)
        {
            case "large weight":
                Edit(graph, "w");
                break;
            case "small weight":
                Edit(graph, "b");
                break;
            case "attribute":
                product.SetAttribute(NodeAttribute.Float("alpha", 0.75f));
                break;
            case "operator":
                graph.LastNode!.OpType = "Sigmoid";
                break;
            case "opset":
                changed.OperatorSets[""] = 20;
                break;
            case "input":
                graph.LastNode!.SetInput(0, graph.Find("product"));
                break;
            default:
                product.SetInputs(product.Inputs[0], product.Inputs[2], product.Inputs[1]);
                break;
        }

        Assert.NotEqual(model.ContentHash(), changed.ContentHash());
    }

    [Fact]
    public void Weights_that_change_places_change_it()
    {
        using var model = Made();
        using var changed = Made();
        var (w, v) = (changed.Graph.Find("w")!, changed.Graph.Find("v")!);
        (Tensor first, Tensor second) = (w.Initializer!, v.Initializer!);
        changed.Graph.SetInitializer(w, second);
        changed.Graph.SetInitializer(v, first);

        Assert.NotEqual(model.ContentHash(), changed.ContentHash());
    }

    static void Edit(OnnxGraph graph, string name)
    {
        var value = graph.Find(name)!;
        var numbers = value.Initializer!.ToArray<float>();
        numbers[^1] += 1e-6f;
        graph.SetInitializer(value, Tensor.Of(numbers, value.Initializer.Sizes.AsSpan()));
    }

    static Model Made()
    {
        var graph = new OnnxGraph("g");
        var x = graph.AddInput("x", new TensorType(DataType.Float, new Shape(new Dimension("n"), 32)));
        var product = graph.Add("Gemm", [x, graph.AddInitializer("w", Numbers(1, 32, 32)), graph.AddInitializer("b", Numbers(2, 32))], "product");
        var sum = graph.Add("MatMul", [product, graph.AddInitializer("v", Numbers(3, 32, 32))], "sum");
        graph.AddOutput(graph.Add("Relu", [sum], "y"));
        return new Model(graph);
    }

    static Tensor Numbers(int seed, params long[] sizes)
    {
        var random = new Random(seed);
        return Tensor.Of(Enumerable.Range(0, (int)sizes.Aggregate(1L, (a, b) => a * b)).Select(_ => random.NextSingle()).ToArray(), sizes);
    }
}
