using Build.ML.Graph;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;
using Build.ML.Quantization.Float16;

namespace Build.ML.Quantization.Tests;

public sealed class HalfConversionTests
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Weights_of_branches_are_stored_as_halves(bool weightsOnly)
    {
        using var model = Branches();
        var input = Numbers.Tensor(7, 1, 3, 16);
        var expected = Step.Run(model, input);
        var result = new HalfConversion().Apply(model, new() { WeightsOnly = weightsOnly }, Step.Context());
        Assert.Equal(2, result.Layers.Length);
        Assert.DoesNotContain(model.Graph.AllNodes, n => n.Inputs.Any(i => i?.Initializer is { Type: DataType.Float, Count: >= 64 }));
        Assert.InRange(Step.Sqnr(expected, Step.Run(model, input)), 60, 120); // one rounding of the weights, 66 dB and more
    }

    private static Model Branches()
    {
        var graph = new OnnxGraph("branches");
        var x = graph.AddInput("x", new TensorType(DataType.Float, new Shape(new Dimension("n"), 16)));
        var node = graph.CreateNode("If");
        node.SetInputs(graph.AddInitializer("which", Tensor.Scalar(true)));
        foreach (var (branch, seed) in new[] { ("then_branch", 1), ("else_branch", 2) })
        {
            var inner = new OnnxGraph(branch);
            node.SetAttribute(NodeAttribute.Graph(branch, inner));
            inner.AddOutput(inner.Add("MatMul", [x, inner.AddInitializer(branch + "_w", Numbers.Tensor(seed, 0.2, 16, 8))], branch + "_y"));
        }

        var y = node.AddOutput("y");
        graph.InsertBefore(null, node);
        y.Type = new TensorType(DataType.Float, new Shape(new Dimension("n"), 8));
        graph.AddOutput(y);
        return new Model(graph, 17) { IrVersion = 8 };
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Outputs_stay_near_those_of_the_float_model(bool weightsOnly)
    {
        using var model = Models.Residual();
        var input = Numbers.Tensor(90, 1, 4, 3, 16, 16);
        var expected = Step.Run(model, input);
        new HalfConversion().Apply(model, new() { WeightsOnly = weightsOnly }, Step.Context());

        // Halves round to 2⁻¹¹ relative, 66 dB and more for one rounding; the whole network rounds some twenty times.
        Assert.InRange(Step.Sqnr(expected, Step.Run(model, input)), 50, 120);
        Assert.Equal(DataType.Float, model.Graph.Outputs[0].ElementType);
        Assert.DoesNotContain(model.Graph.Initializers, i => i.Initializer!.Type == DataType.Float && i.Initializer.Count >= 64);
    }

    [Fact]
    public void Inputs_and_outputs_become_halves_where_they_need_not_stay()
    {
        using var model = Models.Perceptron();
        new HalfConversion().Apply(model, new() { KeepIoTypes = false }, Step.Context());
        Assert.Equal(DataType.Float16, model.Graph.Inputs[0].ElementType);
        Assert.Equal(DataType.Float16, model.Graph.Outputs[0].ElementType);
        Assert.DoesNotContain(model.AllNodes, n => n.OpType == "Cast");
    }

    [Fact]
    public void Blocked_operators_stay_float_between_casts()
    {
        using var model = Models.Perceptron();
        var input = Numbers.Tensor(91, 1, 4, 48);
        var expected = Step.Run(model, input);
        new HalfConversion().Apply(model, new() { OpBlockList = ["Gemm"] }, Step.Context());
        var gemm = model.AllNodes.Single(n => n.OpType == "Gemm");
        Assert.Equal("Cast", gemm.Inputs[0]!.Producer!.OpType);
        Assert.Equal(DataType.Float, gemm.Inputs[1]!.ElementType);
        Assert.InRange(Step.Sqnr(expected, Step.Run(model, input)), 50, 120);
    }

    [Fact]
    public void Numbers_beyond_the_range_saturate_and_tiny_ones_do_not_vanish()
    {
        float[] values = [1e6f, -1e6f, 1e-10f, -1e-10f, 0, 1, float.PositiveInfinity, 65504];
        var halves = new Tensor(DataType.Float16, [8], new HalfContent(Tensor.Of(values, 8))).ToArray<Half>();
        Assert.Equal(
            [(Half)65504, (Half)(-65504), Half.Epsilon, -Half.Epsilon, (Half)0, (Half)1, Half.PositiveInfinity, (Half)65504], halves);
        Assert.Equal((2, 2), new HalfContent(Tensor.Of(values, 8)).CountOutside());
    }
}
