using Build.ML.Autodiff;
using Build.ML.Graph;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;
using Build.ML.OnnxRuntime;
using Build.ML.Quantization.QuantizationAware;

namespace Build.ML.Quantization.Tests.QuantizationAware;

/// <summary>Fake quantization against QuantizeLinear and against the formulas of Esser et al. 2020.</summary>
public sealed class FakeQuantizationTests
{
    private const int Count = 4096;

    [Theory]
    [InlineData(0, 255)]
    [InlineData(-128, 127)]
    [InlineData(-8, 7)]
    [InlineData(-3, 12)]
    public void It_computes_what_quantizing_and_dequantizing_does_ties_included(int least, int greatest)
    {
        const float scale = 0.25f; // a power of 2: every eighth is a tie exactly
        var values = Values(least, greatest, scale);
        using var model = new Model(new OnnxGraph("fake"), 21) { IrVersion = 10 };
        var x = model.Graph.AddInput("x", new TensorType(DataType.Float, new Shape(Count)));
        var size = model.Graph.AddInitializer("s", Tensor.Scalar(scale));
        model.Graph.AddOutput(FakeQuantization.Write(x, size, least, greatest, "y", null));

        var y = Step.Run(model, Tensor.Of(values, Count));

        using var reference = new Model(new OnnxGraph("linear"), 21) { IrVersion = 10 };
        var graph = reference.Graph;
        var input = graph.AddInput("x", new TensorType(DataType.Float, new Shape(Count)));
        var (s, z) = (graph.AddInitializer("s", Tensor.Scalar(scale)), graph.AddInitializer("z", Tensor.Scalar((byte)-least)));

        // uint8 from 0 to 255 saturates there; narrower grids are clipped to their bounds before.
        var clipped = graph.Add(
            "Clip", [input, graph.AddInitializer("low", Tensor.Scalar(least * scale)), graph.AddInitializer("high", Tensor.Scalar(greatest * scale))], "clipped");
        graph.AddOutput(graph.Add("DequantizeLinear", [graph.Add("QuantizeLinear", [clipped, s, z], "q"), s, z], "y"));
        Assert.Equal(Step.Run(reference, Tensor.Of(values, Count)), y);
    }

    [Theory]
    [InlineData(0, 255, false)]
    [InlineData(0, 255, true)]
    [InlineData(-8, 7, false)]
    [InlineData(-8, 7, true)]
    public void Gradients_of_a_step_size_and_of_what_is_rounded_are_the_papers(int least, int greatest, bool kernels)
    {
        const float start = 0.037f;
        var values = Numbers.Normal(4, Count, 0.7 * Math.Max(-least, greatest) * start);
        var upstream = Numbers.Normal(5, Count, 1);
        var (ofX, ofFactor) = Gradients([start], least, greatest, Tensor.Of(values, Count), upstream, kernels);

        // Eq. 3: round(v) − v inside, the bound outside; eq. 5 for x. s = s₀·t, so dL/dt = s₀·dL/ds.
        var expected = 0d;
        for (var i = 0; i < Count; i++)
        {
            var v = values[i] / start;
            var inside = v > least && v < greatest;
            expected += upstream[i] * (inside ? MathF.Round(v) - v : Math.Clamp(v, least, greatest));
            Assert.Equal(inside ? upstream[i] : 0, ofX[i], 1e-5f);
        }

        // Sums of 4096 floats: a relative error of 1e-4 of their magnitude is far beyond what rounding does, far below what a missing term would.
        Assert.InRange(ofFactor[0], expected * start - Tolerance(), expected * start + Tolerance());
        double Tolerance() => 1e-4 * start * Math.Max(Math.Abs(least), greatest) * Math.Sqrt(Count);
    }

    [Fact]
    public void Each_channel_has_the_gradient_of_its_own_step_size()
    {
        const int channels = 4, inner = Count / channels;
        float[] start = [0.01f, 0.02f, 0.04f, 0.3f];
        var values = Numbers.Normal(6, Count, 0.3);
        var upstream = Numbers.Normal(7, Count, 1);
        var (_, ofFactor) = Gradients(start, -8, 7, Tensor.Of(values, channels, inner), upstream, kernels: true);
        for (var c = 0; c < channels; c++)
        {
            var expected = 0d;
            for (var i = c * inner; i < (c + 1) * inner; i++)
            {
                var v = values[i] / start[c];
                expected += upstream[i] * (v is > -8 and < 7 ? MathF.Round(v) - v : Math.Clamp(v, -8, 7));
            }

            Assert.InRange(ofFactor[c] / start[c], expected - 0.02, expected + 0.02);
        }
    }

    // dL/dx and dL/dt of L = Σ upstream·y.
    private static (float[] OfX, float[] OfFactor) Gradients(
        float[] start, int least, int greatest, Tensor x, float[] upstream, bool kernels)
    {
        using var model = new Model(new OnnxGraph("fake"), 21) { IrVersion = 10 };
        var graph = model.Graph;
        var inference = new OnnxRuntimeInference();
        graph.AddInput("unused", new TensorType(DataType.Float, new Shape(1)));
        var value = graph.AddInitializer("x", x);
        var step = new StepSize("t", start, StepSize.Greatest);
        var size = step.Write(graph, "s", null);
        size = start.Length == 1 ? size : graph.Add("Unsqueeze", [size, graph.AddInitializer("axes", Tensor.Of([1L], 1))], "sizes");
        graph.AddOutput(FakeQuantization.Write(value, size, least, greatest, "y", null));
        var builder = new TrainingModelBuilder(model, new() { Trainable = v => v.Name is "x" or "t", Kernels = kernels ? inference.Kernels : [] });
        var op = builder.Ops;
        using var training = builder.Differentiate(op.Total(op.Mul(builder.Outputs[0], op.Constant(Tensor.Of(upstream, x.Sizes.AsSpan())))));

        // One kernel for a scalar step size, the plain operators where channels have their own.
        Assert.Equal(kernels && start.Length == 1 && inference.Kernels.Count > 0, training.Model.Graph.Nodes.Any(n => n.OpType == "FakeQuantizationGradient"));
        using var session = inference.Open(training.Model);
        var results = session.Run([.. training.Parameters.Select(p => KeyValuePair.Create(p.Input, p.Name == "x" ? x : Tensor.Of(Enumerable.Repeat(1f, start.Length).ToArray(), start.Length)))]);
        float[] Of(string name) => results[session.Outputs.IndexOf(training.Parameters.Single(p => p.Name == name).Gradient)].ToArray<float>();
        return (Of("x"), Of("t"));
    }

    // From a quarter below the grid to a quarter above it, in eighths of a step where they fit.
    private static float[] Values(int least, int greatest, float scale)
    {
        var values = new float[Count];
        var span = greatest - least;
        for (var i = 0; i < Count; i++)
        {
            values[i] = (MathF.Floor((least - span / 4f + span * 1.5f * i / Count) * 8) / 8) * scale;
        }

        return values;
    }
}
