using Build.ML.Graph;
using Build.ML.Graph.Tensors;
using Build.ML.OnnxRuntime;

namespace Build.ML.Autodiff.Tests;

public sealed class GradientFlowTests
{
    [Theory]
    [InlineData(false, 1f + 1.4f)] // y = Round(x)·x, straight through: dy/dx = Round(x) + x
    [InlineData(true, 1f)]         // stopped: dy/dx = Round(x)
    public void Rounding_lets_gradients_through_or_stops_them_as_marked(bool stop, float expected)
    {
        using var model = new Model(opset: 21);
        var x = model.Graph.AddInitializer("x", Tensor.Of([1.4f], 1));
        var rounded = model.Graph.Add("Round", [x], "rounded");
        if (stop)
            rounded.Producer!.StopGradient();
        else
            rounded.Producer!.PassStraightThrough();
        model.Graph.AddOutput(model.Graph.Add("Mul", [rounded, x], "y"));

        var builder = new TrainingModelBuilder(model, new TrainingModelOptions());
        using var training = builder.Differentiate(builder.Ops.Total(builder.Find("y")!));
        using var session = new OnnxRuntimeInference().Open(training.Model);
        var results = session.Run([new(training.Parameters[0].Input, Tensor.Of([1.4f], 1))]);
        var gradient = results[session.Outputs.IndexOf(training.Parameters[0].Gradient)].ToArray<float>()[0];
        Assert.Equal(expected, gradient, 1e-6f);
    }
}
