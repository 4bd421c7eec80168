using Build.ML.Architectures.Texts;
using Build.ML.Distillation;
using Build.ML.Graph;
using Build.ML.Graph.Tensors;
using Build.ML.Pruning.Depth;
using Build.ML.Pruning.Structured;
using Build.ML.Pruning.Structured.Importances;
using Build.ML.Pruning.Tests.Depth;
using Build.ML.Training;

namespace Build.ML.Pruning.Tests.Structured;

public sealed class MinitronTests
{
    private const int Tokens = 11;
    private const int Length = 16;

    /// <summary>Minitron (arXiv 2407.14679): depth, heads, neurons and width by activations, then distillation from the original.</summary>
    [Fact]
    public void A_decoder_pruned_in_width_and_depth_learns_from_the_original_what_it_has_lost()
    {
        using var original = new LlamaDecoder
        {
            Layers = 3,
            Hidden = 32,
            Heads = 4,
            KeyHeads = 4,
            Intermediate = 48,
            Vocabulary = Tokens,
            Length = Length,
        }.Build(1);
        var data = new Samples("input_ids", [.. Enumerable.Range(0, 192).Select(Sequence)]);
        var context = Bench.Context(data) with { Model = _ => original.Clone() };
        var training = new TrainingOptions { Data = Bench.Data, Epochs = 25, BatchSize = 16, Optimizer = new AdamW { LearningRate = 0.005 } };
        new Trainer(context).Fit(original, new TrainingPlan { Options = training, Losses = [new NextToken()] });
        var learnt = Right(original);
        Assert.InRange(learnt, 0.9, 1);

        using var small = original.Clone();
        new LayerPruning().Apply(small, new() { Count = 1, Data = Bench.Data }, context);
        new HeadPruning().Apply(small, new() { Sparsity = 0.5, Scope = PruningScope.Layer, Importance = new ActivationImportance(), Data = Bench.Data }, context);
        new NeuronPruning().Apply(small, new() { Sparsity = 0.5, Scope = PruningScope.Layer, Importance = new ActivationImportance(), Data = Bench.Data }, context);
        new ChannelPruning().Apply(small, new() { Sparsity = 0.25, Scope = PruningScope.Layer, Importance = new ActivationImportance(), Data = Bench.Data }, context);
        Assert.Empty(small.Validate());
        Assert.InRange(Weights(small), 1, 0.45 * Weights(original)); // two thirds of the layers, about half of each
        var lost = Right(small);
        new LogitDistillation().Apply(
            small, new() { Data = Bench.Data, Epochs = 25, BatchSize = 16, LabelWeight = 0, Temperature = 1, Optimizer = new AdamW { LearningRate = 0.005 } }, context);
        var recovered = Right(small);
        Assert.True(lost < 0.6 && recovered > 0.9, $"{learnt} right at first, {lost} pruned, {recovered} distilled");
    }

    // Each token is its predecessor plus the step, which the first two tell.
    private static Tensor Sequence(int number)
    {
        var (start, step) = (number % Tokens, 1 + (number / Tokens % 4));
        return Tensor.Of([.. Enumerable.Range(0, Length).Select(i => (long)((start + (i * step)) % Tokens))], Length);
    }

    // Share of tokens foretold from the third on.
    private static double Right(Model model)
    {
        var right = 0;
        const int sequences = 44;
        for (var s = 0; s < sequences; s++)
        {
            var ids = Sequence(s);
            float[] scores = Networks.Run(model, ids.Reshape(1, Length));
            var expected = ids.ToArray<long>();
            for (var i = 1; i < Length - 1; i++)
            {
                var row = scores.AsSpan(i * Tokens, Tokens);
                right += System.Numerics.Tensors.TensorPrimitives.IndexOfMax(row) == expected[i + 1] ? 1 : 0;
            }
        }

        return right / (double)(sequences * (Length - 2));
    }

    private static long Weights(Model model) => model.Graph.Initializers.Where(i => i.Initializer!.Rank == 2).Sum(i => i.Initializer!.Count);
}
