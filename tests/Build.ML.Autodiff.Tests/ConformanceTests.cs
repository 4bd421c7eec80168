using Build.ML.Abstractions.Inference;
using Build.ML.Graph;
using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;
using Build.ML.Graph.Tests;
using Build.ML.OnnxRuntime;

namespace Build.ML.Autodiff.Tests;

/// <summary>
/// ONNX's own conformance models, one operator each in all its variants and PyTorch's layers as PyTorch exports them: their float inputs are differentiated along one random direction, or
/// refused with the node's name.
/// </summary>
public sealed class ConformanceTests
{
    static readonly OnnxRuntimeInference Inference = new();

    // Data that sits on a kink: an element that is exactly 0 or the threshold, equal smallest elements, windows whose largest elements are less than 1e-4 apart.
    static readonly string[] OnKinks =
    [
        "test_elu_example", "test_leakyrelu_example", "test_selu_example", "test_thresholdedrelu_example", "test_reduce_min_default_axes_keepdims_example",
        "test_MaxPool2d_stride_padding_dilation", "test_MaxPool3d",
    ];

    [SkippableTheory]
    [InlineData("node", 557)]
    [InlineData("pytorch-converted", 80)]
    [InlineData("pytorch-operator", 29)]
    public void Every_model_is_differentiated_rightly_or_refused_by_name(string family, int differentiated)
    {
        var (failures, right) = (new List<string>(), 0);
        foreach (var path in OnnxTestData.AllModels().Where(p => Path.GetRelativePath(OnnxTestData.Folder(), p).StartsWith(family, StringComparison.Ordinal)))
        {
            var name = Path.GetFileName(Path.GetDirectoryName(path)!);
            if (OnKinks.Contains(name))
                continue;
            try
            {
                if (Difference(path) is { } difference)
                {
                    if (difference > 0.02)
                        failures.Add($"{name}: off by {difference:0.###} of the gradient");
                    else
                        right++;
                }
            }
            catch (DiagnosticException e)
            {
                // No gradient, no later operator set, or nothing that ONNX Runtime runs.
                failures.AddRange(e.Diagnostics.Where(d => !d.Code.StartsWith("BML81", StringComparison.Ordinal) && d.Code is not ("BML2120" or "BML5101" or "BML5102")).Select(d => $"{name}: {d}"));
            }
            catch (Exception e) when (e is not Xunit.Sdk.XunitException)
            {
                failures.Add($"{name}: {e}");
            }
        }
        Assert.True(failures.Count == 0, string.Join('\n', failures));
        Assert.True(right >= differentiated, $"{right} of {family} were differentiated; {differentiated} have been.");
    }

    /// <summary>By how much g·d misses differences along d, relative to the gradient's norm; null where nothing is to be differentiated.</summary>
    static double? Difference(string path)
    {
        using var model = Model.Open(path);
        if (TensorFiles.Feeds(model, Path.Combine(Path.GetDirectoryName(path)!, "test_data_set_0")) is not { } feeds || model.Graph.Outputs.All(o => o.ElementType != DataType.Float))
            return null;
        foreach (var (name, tensor) in feeds)
            model.Graph.SetInitializer(model.Graph.Find(name)!, tensor);
        var trained = model.Graph.Initializers.Where(i => i.ElementType == DataType.Float && i.Initializer!.Count > 0).Select(i => i.Name).ToHashSet();
        if (trained.Count == 0)
            return null;
        var outputs = model.Graph.Outputs.Where(o => o.ElementType == DataType.Float).Select(o => o.Name).ToArray();
        var builder = new TrainingModelBuilder(model, new TrainingModelOptions { Dropout = false });
        Value? loss = null;
        foreach (var output in outputs)
        {
            var y = builder.Find(output)!;
            if (y.Count() == 0)
                continue;
            var part = builder.Ops.Total(builder.Ops.Mul(y, builder.Ops.Constant(new Cases.CaseRandom(1).Normal([.. y.Sizes()]))));
            loss = loss is null ? part : builder.Ops.Add(loss, part);
        }
        if (loss is null)
            return null;
        using var training = builder.Differentiate(loss);
        using var session = Inference.Open(training.Model, new InferenceOptions { Optimize = false });
        var (weights, random) = (training.Parameters.ToDictionary(p => p.Input, p => model.Graph.Find(p.Name)!.Initializer ?? model.Graph.Find(p.Name)!.Constant!), new Random(1));
        var directions = training.Parameters.ToDictionary(p => p.Input, p => Enumerable.Range(0, (int)weights[p.Input].Count).Select(_ => random.Next(2) * 2f - 1).ToArray());
        Dictionary<string, Tensor> Run(float step) => session.Outputs.Zip(session.Run([.. weights.Select(w => KeyValuePair.Create(
            w.Key, Tensor.Of([.. w.Value.ToArray<float>().Zip(directions[w.Key], (v, d) => v + step * d)], [.. w.Value.Sizes])))])).ToDictionary(r => r.First, r => r.Second);
        double At(float step) => Run(step)[training.Loss].ToArray<float>()[0];
        double Slope(float step) => (At(step) - At(-step)) / (2.0 * step);
        var results = Run(0);
        double slope = 0, square = 0;
        foreach (var parameter in training.Parameters)
        {
            var gradient = results[parameter.Gradient].ToArray<float>();
            slope += gradient.Zip(directions[parameter.Input], (g, d) => (double)g * d).Sum();
            square += gradient.Sum(g => (double)g * g);
        }
        // The best of some steps: what rounding drowns, or a kink is near to, differs with one of them.
        var error = new[] { 256f, 2048, 16384 }.Min(s => Math.Abs(Slope(1 / s) - slope));
        return error / Math.Max(1, Math.Sqrt(square));
    }
}
