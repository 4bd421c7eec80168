using Build.ML.Autodiff.Tests.Reference;
using Build.ML.Graph;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;

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
