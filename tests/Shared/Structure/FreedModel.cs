using System.Collections.Immutable;
using Build.ML.Graph;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Passes;
using Build.ML.Graph.Shapes;
using Build.ML.Graph.Tensors;

namespace Build.ML.TestSupport;

/// <summary>An operator's conformance case whose dimensions neither inputs nor outputs hold in place.</summary>
static class FreedModel
{
    /// <summary>Makes all inputs constants times a fed factor (or the first only: the others are weights), and all outputs weighted sums.</summary>
    public static bool TryFree(Model model, ImmutableArray<KeyValuePair<string, Tensor>> feeds, bool constants)
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
        ShapeInference.Run(model);
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
