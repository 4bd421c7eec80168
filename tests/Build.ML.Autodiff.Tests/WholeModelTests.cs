using Build.ML.Abstractions.Inference;
using Build.ML.Autodiff.Tests.Reference;
using Build.ML.Graph;
using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Tensors;
using Build.ML.OnnxRuntime;

namespace Build.ML.Autodiff.Tests;

/// <summary>Gradients of whole models, as exporters write them, against a reference in double precision.</summary>
public sealed class WholeModelTests
{
    [Fact]
    public void Gradients_of_a_residual_network_agree_with_double_precision() =>
        Check(SampleModels.ResNet(seed: 3), new() { ["image"] = SampleModels.Normal(5, 4, 3, 10, 10) });

    [Fact]
    public void Gradients_of_an_encoder_agree_with_double_precision() =>
        Check(SampleModels.Encoder(seed: 4), new() { ["ids"] = SampleModels.Ids(6, 23, 3, 7) });

    [Fact]
    public void Gradients_of_a_Llama_agree_with_double_precision() =>
        Check(SampleModels.Llama(seed: 5, length: 6), new() { ["ids"] = SampleModels.Ids(7, 29, 2, 6) });

    [Fact]
    public void One_thread_and_two_compute_the_same_bits()
    {
        // Products of 512 rows and more: wide enough that ONNX Runtime shares them out.
        using var model = SampleModels.Encoder(seed: 8, width: 128, length: 64, batch: 8);
        var builder = new TrainingModelBuilder(model, new TrainingModelOptions { Trainable = v => v.Name.StartsWith("w_", StringComparison.Ordinal) });
        using var training = builder.Differentiate(builder.Ops.Mean(builder.Ops.Square(builder.Outputs[0])));
        KeyValuePair<string, Tensor>[] feeds =
        [
            .. training.Parameters.Select(p => KeyValuePair.Create(p.Input, model.Graph.Find(p.Name)!.Initializer!)), new("ids", SampleModels.Ids(9, 23, 8, 64)),
        ];
        byte[][] Run(int threads)
        {
            using var session = new OnnxRuntimeInference().Open(training.Model, new InferenceOptions { Threads = threads });
            return [.. session.Run([.. feeds]).Select(t => t.ToArray<float>()).Select(f => System.Runtime.InteropServices.MemoryMarshal.AsBytes<float>(f).ToArray())];
        }

        var one = Run(1);
        foreach (var again in new[] { Run(2), Run(2), Run(1) })
            Assert.Equal(one, again);
        Assert.All(one.Skip(1), gradient => Assert.Contains(gradient, b => b != 0));
    }

    [Fact]
    public void All_nodes_without_a_gradient_are_named()
    {
        using var model = new Model(opset: 21);
        var w = model.Graph.AddInitializer("w", Tensor.Of([1f, 2, 3, 4], 1, 1, 2, 2));
        var determinant = model.Graph.Add("Det", [w], "determinant");
        determinant.Producer!.Name = "head/determinant";
        var grid = model.Graph.AddInitializer("grid", Tensor.Of(new float[8], 1, 2, 2, 2));
        var sample = model.Graph.Add("GridSample", [w, grid], "sample");
        sample.Producer!.Name = "body/sample";
        model.Graph.AddOutput(model.Graph.Add("Add", [sample, determinant], "sum"));

        var builder = new TrainingModelBuilder(model, new TrainingModelOptions { Trainable = v => v.Name == "w" });
        var error = Assert.Throws<DiagnosticException>(() => builder.Differentiate(builder.Ops.Total(builder.Outputs[0])));
        Assert.Equal(["BML8102", "BML8102"], error.Diagnostics.Select(d => d.Code));
        Assert.Contains(error.Diagnostics, d => d.Message.Contains("'head/determinant'", StringComparison.Ordinal));
        Assert.Contains(error.Diagnostics, d => d.Message.Contains("'body/sample'", StringComparison.Ordinal));
    }

    static void Check(Model model, Dictionary<string, Tensor> inputs)
    {
        using (model)
        {
            var agreements = GradientAgreement.Of(model, inputs, "logits", v => v.Name.StartsWith("w_", StringComparison.Ordinal), directions: 2);
            Assert.All(model.Graph.Initializers.Where(i => i.Name.StartsWith("w_", StringComparison.Ordinal)), w => Assert.Contains(agreements, a => a.Weight == w.Name));
            // What the customer asks for: 1e-5 of the gradient's norm.
            Assert.True(GradientAgreement.Worst(agreements) <= 1e-5, string.Join('\n', agreements));
        }
    }
}
