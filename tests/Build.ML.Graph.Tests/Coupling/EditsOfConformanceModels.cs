using System.Collections.Immutable;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Passes;
using Build.ML.Graph.Tensors;

namespace Build.ML.Graph.Tests.Coupling;

/// <summary>
/// Every operator case of libonnx-testdata with its dimensions set free: inputs are constants, made activations by a factor that is fed, and what comes
/// out is summed with random weights. Half of every axis that is not locked is removed.
/// </summary>
public sealed class EditsOfConformanceModels
{
    /// <summary>Sums of some thousand products in float, in another order.</summary>
    private const double Rounding = 1e-4;

    [SkippableTheory]
    [InlineData(true)]
    [InlineData(false)]
    public void Half_of_every_free_axis_can_go_and_what_nothing_reads_changes_nothing(bool constants)
    {
        var failures = new List<string>();
        var (cases, axes, free, compared) = (0, 0, 0, 0);
        foreach (var path in OnnxTestData.AllModels())
        {
            using var model = Model.Open(path);
            if (TensorFiles.Feeds(model, Path.Combine(Path.GetDirectoryName(path)!, "test_data_set_0")) is not { } given
                || given.Sum(f => f.Value.Count) > 2_000_000 || !TryFree(model, given, constants))
            {
                continue;
            }

            var result = StructuralEdit.Check(model, [new("factor", Tensor.Scalar(1f))], Rounding);
            cases++;
            axes += result.Axes;
            free += result.Free;
            compared += result.Compared;
            failures.AddRange(result.Failures.Select(f => $"{Path.GetFileName(Path.GetDirectoryName(path))}: {f}"));
        }

        var summary = $"{cases} cases, {axes} axes, {free} free, {compared} compared, {failures.Count} failures\n";
        Assert.True(failures.Count == 0, summary + string.Join('\n', failures));
        Assert.True(cases >= 900 && compared >= 1300, summary);
    }

    /// <summary>Makes all inputs constants times a fed factor (or the first only: the others are weights), and all outputs weighted sums.</summary>
    private static bool TryFree(Model model, ImmutableArray<KeyValuePair<string, Tensor>> feeds, bool constants)
    {
        var graph = model.Graph;
        if (model.AllNodes.Any(n => n.OpType is "Bernoulli" or "Dropout" or "RandomNormal" or "RandomUniform" or "Shape" or "Size")
            || graph.Outputs.Any(o => o.Type is not TensorType { ElementType: not DataType.String } || o.Producer is null))
        {
            return false;
        }

        new RemoveInitializerInputs().Run(model);
        new ConstantsToInitializers().Run(model);
        var factor = graph.AddInput(graph.UniqueName("factor"), new TensorType(DataType.Float, new Shape()));
        var isFirst = true;
        foreach (var (name, tensor) in feeds)
        {
            var input = graph.Find(name)!;
            graph.RemoveInput(input);
            graph.SetInitializer(input, tensor);
            if (tensor.Type == DataType.Float && (isFirst || !constants))
            {
                var scaled = graph.CreateNode("Mul");
                var uses = input.Uses.ToArray();
                scaled.SetInputs(input, factor);
                var output = scaled.AddOutput(graph.UniqueName(name + "_scaled"));
                graph.InsertBefore(graph.FirstNode, scaled);
                foreach (var use in uses)
                {
                    use.Node.SetInput(use.Index, output);
                }
            }

            isFirst = false;
        }

        model.IrVersion = Math.Max(model.IrVersion, 4);
        Graph.Shapes.ShapeInference.Run(model);
        var outputs = graph.Outputs.ToArray();
        for (var i = 0; i < outputs.Length; i++)
        {
            if (outputs[i].Shape?.ToSizes() is not { } sizes || sizes.Contains(0))
            {
                return false;
            }

            var real = outputs[i].ElementType == DataType.Float ? outputs[i] : graph.Add("Cast", [outputs[i]], $"real_{i}", [NodeAttribute.Int("to", 1)]);
            var random = new Random(i);
            var weights = new float[sizes.Aggregate(1L, (a, b) => a * b)];
            for (var k = 0; k < weights.Length; k++)
            {
                weights[k] = random.NextSingle() - 0.5f;
            }

            var weighed = graph.Add("Mul", [real, graph.AddInitializer(StructuralEdit.Probe + i, Tensor.Of(weights, sizes))], $"weighed_{i}");
            var sum = graph.Add("ReduceSum", [weighed], $"sum_{i}", [NodeAttribute.Int("keepdims", 0)]);
            sum.Producer!.Name = StructuralEdit.Probe + "sum";
            graph.AddOutput(sum);
        }

        for (var i = outputs.Length - 1; i >= 0; i--)
        {
            graph.RemoveOutput(i);
        }

        return true;
    }
}
