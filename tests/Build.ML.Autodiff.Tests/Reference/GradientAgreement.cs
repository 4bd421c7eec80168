using System.Collections.Immutable;
using Build.ML.Graph;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;
using Build.ML.OnnxRuntime;

namespace Build.ML.Autodiff.Tests.Reference;

/// <summary>
/// Gradients of a whole model against central differences in double precision: for a weight's gradient g and a direction d of random signs, (L(w + h·d) − L(w − h·d))/2h is g·d, and the
/// difference to it is of the size of the norm of the gradient's error.
/// </summary>
public static class GradientAgreement
{
    // A relative change of a weight small enough that hardly an activation crosses 0, and large enough that 1e-16 of the loss divided by it is nothing.
    const double Step = 1e-6;

    /// <summary>The gradient of one weight.</summary>
    /// <param name="Weight">Name.</param>
    /// <param name="Norm">Its gradient's norm.</param>
    /// <param name="Error">Root mean square over the directions of what differs.</param>
    public sealed record Agreement(string Weight, double Norm, double Error);

    /// <summary>Differentiates the mean cross-entropy over the last axis of an output (a softmax), or half the mean square where that has one element.</summary>
    /// <param name="model">Forward model.</param>
    /// <param name="inputs">Content of its inputs.</param>
    /// <param name="output">Name of the output.</param>
    /// <param name="trainable">Which weights.</param>
    /// <param name="directions">Number of directions each.</param>
    /// <param name="seed">Of labels and directions.</param>
    public static IReadOnlyList<Agreement> Of(
        Model model, IReadOnlyDictionary<string, Tensor> inputs, string output, Func<Value, bool> trainable, int directions = 2, int seed = 1)
    {
        var builder = new TrainingModelBuilder(model, new TrainingModelOptions
        {
            InputSizes = inputs.ToImmutableDictionary(i => i.Key, i => i.Value.Sizes),
            Trainable = trainable,
        });
        var (op, y) = (builder.Ops, builder.Find(output)!);
        var classes = y.Size(-1);
        var rows = y.Count() / classes;
        var random = new Random(seed);
        var labels = Enumerable.Range(0, (int)rows).Select(_ => random.NextInt64(classes)).ToArray();
        var loss = classes == 1 ? op.Mul(op.Mean(op.Square(y)), 0.5)
            : op.Node("SoftmaxCrossEntropyLoss", [op.Reshape(y, rows, classes), op.Constant(Tensor.Of(labels, rows))]);
        using var training = builder.Differentiate(loss);
        using var session = new OnnxRuntimeInference().Open(training.Model);
        var feeds = training.Parameters.Select(p => KeyValuePair.Create(p.Input, model.Graph.Find(p.Name)!.Initializer!))
            .Concat(training.Data.Select(d => KeyValuePair.Create(d.Key, inputs[d.Key])));
        var results = session.Outputs.Zip(session.Run([.. feeds])).ToDictionary(r => r.First, r => r.Second);

        var reference = new ReferenceModel(model, inputs.ToDictionary(i => i.Key, i => DoubleTensor.Of(i.Value)), output);
        var exact = Loss(reference.Output, labels);
        var ours = results[training.Loss].ToArray<float>()[0];
        if (Math.Abs(ours - exact) > 1e-4 * Math.Max(1, exact))
            throw new InvalidOperationException($"The loss is {ours}, the reference says {exact}: the forward passes differ.");

        var agreements = new Agreement[training.Parameters.Length];
        Parallel.For(0, agreements.Length, new ParallelOptions { MaxDegreeOfParallelism = Environment.ProcessorCount }, p =>
        {
            var (weight, gradient) = (model.Graph.Find(training.Parameters[p].Name)!, results[training.Parameters[p].Gradient].ToArray<float>());
            var (content, signs) = (DoubleTensor.Of(weight.Initializer!), new Random(seed + p));
            var step = Step * Math.Max(1e-3, Math.Sqrt(content.Data.Average(v => v * v)));
            double square = 0;
            for (var k = 0; k < directions; k++)
            {
                var direction = content.Data.Select(_ => signs.Next(2) * 2.0 - 1).ToArray();
                double At(double t) => Loss(reference.With(weight, new(content.Sizes, [.. content.Data.Zip(direction, (w, d) => w + t * d)])), labels);
                var difference = (At(step) - At(-step)) / (2 * step) - gradient.Zip(direction, (g, d) => g * d).Sum();
                square += difference * difference;
            }
            agreements[p] = new(weight.Name, Math.Sqrt(gradient.Sum(g => (double)g * g)), Math.Sqrt(square / directions));
        });
        return agreements;
    }

    /// <summary>The largest error relative to its gradient's norm; a gradient far smaller than the model's whole one is measured by that: theory makes some of them 0, as a key's bias.</summary>
    public static double Worst(IReadOnlyList<Agreement> agreements)
    {
        var whole = Math.Sqrt(agreements.Sum(a => a.Norm * a.Norm));
        return agreements.Max(a => a.Error / Math.Max(a.Norm, 1e-2 * whole));
    }

    static double Loss(DoubleTensor y, long[] labels)
    {
        var classes = (int)y.Sizes[^1];
        if (classes == 1)
            return 0.5 * y.Data.Average(v => v * v);
        double sum = 0;
        for (var row = 0; row < labels.Length; row++)
        {
            var scores = y.Data.AsSpan(row * classes, classes);
            var (largest, total) = (double.NegativeInfinity, 0.0);
            foreach (var score in scores)
                largest = Math.Max(largest, score);
            foreach (var score in scores)
                total += Math.Exp(score - largest);
            sum += Math.Log(total) + largest - scores[(int)labels[row]];
        }
        return sum / labels.Length;
    }
}
