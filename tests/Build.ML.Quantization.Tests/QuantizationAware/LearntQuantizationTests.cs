using Build.ML.Abstractions.Selection;
using Build.ML.Graph;
using Build.ML.Graph.Passes;
using Build.ML.Graph.Tensors;
using Build.ML.OnnxRuntime;
using Build.ML.Quantization.Calibration;
using Build.ML.Quantization.QuantizationAware;
using Build.ML.Quantization.Static;
using Build.ML.Quantization.Weights;

namespace Build.ML.Quantization.Tests.QuantizationAware;

/// <summary>The model that is trained computes what the integer model that comes out does.</summary>
public sealed class LearntQuantizationTests
{
    private const int Samples = 64;

    [Theory]
    [InlineData(8, 8, true)]
    [InlineData(4, 8, true)]
    [InlineData(4, 8, false)]
    [InlineData(4, 4, true)]
    [InlineData(8, 8, true, QuantizedType.S8)]
    public void Integers_give_the_answers_of_the_model_that_was_trained(int weightBits, int activationBits, bool learn, QuantizedType type = QuantizedType.U8)
    {
        using var model = Models.Residual(21);
        new ConstantsToInitializers().Run(model);
        var plan = Plan(model);
        var target = new CalibrationTarget(type, Symmetric: false, activationBits, 99.99);
        var activations = ActivationParameters.Calibrate(
            model, plan, new MinMaxCalibrator(), target, Step.Data, Step.Context(new NormalData(Samples, 3, 16, 16)));
        var weights = new WeightTable(new WeightQuantizer(new(QuantizedType.S8, Granularity.PerChannel, ReduceRange: false) { Bits = weightBits }, 2));
        using var trained = model.Clone();
        var names = model.Graph.Initializers.Where(i => i.ElementType == DataType.Float).Select(i => i.Name).ToHashSet();
        var trainable = new TrainableQuantization(trained.Graph, Plan(trained), activations, weights, learn);
        trainable.Write();

        names.UnionWith(trainable.StepNames);

        // In the place of training: every parameter moves, step sizes up to 20 %.
        var random = new Random(3);
        foreach (var value in trained.Graph.Initializers.Where(i => names.Contains(i.Name)).ToArray())
        {
            var numbers = value.Initializer!.ToArray<float>();
            for (var i = 0; i < numbers.Length; i++)
            {
                numbers[i] *= 1 + 0.4f * (random.NextSingle() - 0.5f);
            }

            trained.Graph.SetInitializer(value, Tensor.Of(numbers, value.Initializer.Sizes.AsSpan()));
        }

        new LearntQuantization(model, plan, activations, weights).Take(trained, trainable);
        new QdqWriter(model.Graph, plan, activations, weights).Write();

        var images = Numbers.Tensor(77, 1, Samples, 3, 16, 16);
        // Operator by operator both compute the same numbers.
        Assert.Equal(Run(trained, images, optimize: false), Run(model, images, optimize: false));

        // Integer kernels and fused convolutions add in another order: now and then a value within 1e-6 of a half is rounded the other way, by one step of one channel.
        var (expected, actual) = (Run(trained, images, optimize: true), Run(model, images, optimize: true));
        Assert.InRange(Step.Sqnr(expected, actual), 50, double.PositiveInfinity);
        var same = 0;
        for (var i = 0; i < Samples; i++)
        {
            same += Largest(expected.AsSpan(i * 10, 10)) == Largest(actual.AsSpan(i * 10, 10)) ? 1 : 0;
        }

        Assert.True(same >= Samples * 0.995, $"{same} of {Samples} answers are the same.");
        Assert.Equal(learn, trainable.StepNames.Any());
    }

    private static QdqPlan Plan(Model model) => QdqPlan.Of(model, new LayerSelection(model, [], [], []), new Dictionary<int, LayerTreatment>());

    private static float[] Run(Model model, Tensor input, bool optimize)
    {
        using var session = new OnnxRuntimeInference().Open(model, new() { Optimize = optimize });
        return session.Run([new("", input)])[0].ToArray<float>();
    }

    private static int Largest(ReadOnlySpan<float> logits) => System.Numerics.Tensors.TensorPrimitives.IndexOfMax(logits);
}
