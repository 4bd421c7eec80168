using System.Collections.Immutable;
using Build.ML.Abstractions.Architectures;
using Build.ML.Autodiff;
using Build.ML.Graph;
using Build.ML.Graph.Tensors;
using Build.ML.OnnxRuntime;
using Build.ML.Training;
using Build.ML.Training.Random;

namespace Build.ML.Architectures.Tests;

/// <summary>Networks are built to be trained: each weight gets a gradient, and a small step against it lowers the loss by what the gradient says.</summary>
public sealed class TrainabilityTests
{
    public static TheoryData<Architecture> Small =>
        [.. ((IEnumerable<object[]>)ImageNetworkTests.Small).Concat(TextNetworkTests.Small).Select(r => (Architecture)r[0])];

    [Theory]
    [MemberData(nameof(Small))]
    public void Every_weight_has_a_gradient_and_the_loss_falls_along_it(Architecture network)
    {
        using var model = network.Build(1);
        var sizes = model.Graph.Inputs.ToImmutableDictionary(i => i.Name, i => ImmutableArray.Create<long>([4, .. i.Shape!.Dimensions.Skip(1).Select(d => d.Size!.Value)]));
        var builder = new TrainingModelBuilder(model, new TrainingModelOptions { InputSizes = sizes, Dropout = false, Trainable = TrainableWeights.IsWeight });
        // Far from the normalized outputs of layer normalization, whose mean square cannot change: the distance to fixed numbers.
        var goal = builder.AddInput("goal", DataType.Float, Sizes(builder));
        var loss = builder.Ops.Mean(builder.Ops.Square(builder.Ops.Sub(builder.Outputs[0], goal)));
        using var training = builder.Differentiate(loss);
        var weights = model.Graph.Initializers.Where(i => !i.Name.Contains(".running_", StringComparison.Ordinal)).ToDictionary(i => i.Name, i => i.Initializer!.ToArray<float>());

        Assert.Equal(weights.Keys.Order(StringComparer.Ordinal), training.Parameters.Select(p => p.Name).Order(StringComparer.Ordinal));
        using var session = new OnnxRuntimeInference().Open(training.Model);
        var (before, gradients) = Step(session, training, weights);
        var square = gradients.Values.Sum(g => g.Sum(v => (double)v * v));
        Assert.True(double.IsFinite(square) && square > 0, $"squared gradient {square}");

        // The loss falls by rate · |gradient|² to first order; half of it is left for what the second order takes back.
        var rate = 1e-3 * before / square;
        foreach (var (name, gradient) in gradients)
            weights[name] = [.. weights[name].Zip(gradient, (w, g) => (float)(w - (rate * g)))];
        var fallen = before - Step(session, training, weights).Loss;
        Assert.InRange(fallen, 0.5 * rate * square, 1.5 * rate * square);
    }

    static long[] Sizes(TrainingModelBuilder builder) => builder.Outputs[0].Shape!.ToSizes()!;

    static (double Loss, Dictionary<string, float[]> Gradients) Step(Build.ML.Abstractions.Inference.IInferenceSession session, TrainingModel training, Dictionary<string, float[]> weights)
    {
        var feeds = training.Parameters.Select(p => KeyValuePair.Create(p.Input, Tensor.Of(weights[p.Name], p.Sizes.AsSpan())))
            .Concat(training.Data.Select(d => KeyValuePair.Create(d.Key, d.Key == "goal" ? Goal(d.Value) : Networks.Feed(d.Key, d.Value, 4))));
        var results = session.Outputs.Zip(session.Run([.. feeds])).ToDictionary(p => p.First, p => p.Second.ToArray<float>());
        return (results[training.Loss][0], training.Parameters.ToDictionary(p => p.Name, p => results[p.Gradient]));
    }

    static Tensor Goal(TensorType type)
    {
        var values = new float[type.Shape!.Count!.Value];
        new CounterRandom(7).FillNormal(values);
        return Tensor.Of(values, type.Shape.ToSizes());
    }
}
