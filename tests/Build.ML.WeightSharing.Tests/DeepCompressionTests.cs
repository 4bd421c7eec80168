using Build.ML.Architectures.Images;
using Build.ML.Graph;
using Build.ML.Graph.Tensors;
using Build.ML.OnnxRuntime;
using Build.ML.Packing;
using Build.ML.Pruning;
using Build.ML.WeightSharing.Clustering;

namespace Build.ML.WeightSharing.Tests;

public sealed class DeepCompressionTests
{
    [Fact]
    public void Pruned_clustered_and_packed_a_network_is_35_times_smaller_and_answers_the_same()
    {
        // The paper's LeNet-5 with its densities: 8 % of weights stay, 8 bits for convolutions, 5 for products of matrices.
        using var model = new LeNet { Variant = LeNetVariant.Caffe }.Build(1);
        var dense = model.ToBytes().Length;
        new MagnitudePruning().Apply(model, new() { Sparsity = 0.92 }, SharedNetworks.Context);
        new WeightClustering().Apply(model, new() { Bits = 5, BitsOf = [new() { Layers = ["conv*"], Bits = 8 }] }, SharedNetworks.Context);
        var shipped = model.ToBytes();
        var packed = PackedModel.Pack(shipped);
        var opened = PackedModel.Unpack(packed);

        Assert.True(35 * packed.Length <= dense, $"{dense} bytes became {packed.Length}");
        Assert.Equal(shipped, opened);
        using var loaded = Model.Load(opened);
        Assert.Equal(Answer(model), Answer(loaded));
    }

    private static float[] Answer(Model model)
    {
        using var session = new OnnxRuntimeInference().Open(model);
        return session.Run([new(model.Graph.Inputs[0].Name, Tensor.Of(KMeansTests.Normal(784, 2), 1, 1, 28, 28))])[0].ToArray<float>();
    }
}
