using Build.ML.Graph.Evaluation;

namespace Build.ML.Graph.Tests.Passes;

/// <summary>The folding evaluators against the expected outputs of ONNX's conformance cases.</summary>
public sealed class EvaluatorsOnConformanceModels
{
    [SkippableFact]
    public void Every_single_node_case_that_an_evaluator_covers_gives_the_expected_outputs()
    {
        var (wrong, covered) = (new List<string>(), new SortedDictionary<string, int>(StringComparer.Ordinal));
        foreach (var path in OnnxTestData.AllModels())
        {
            var folder = Path.Combine(Path.GetDirectoryName(path)!, "test_data_set_0");
            using var model = Model.Open(path);
            if (model.Graph.NodeCount != 1 || model.Graph.FirstNode is not { } node || !NodeEvaluator.BuiltIn.Covers(node)
                || TensorFiles.Feeds(model, folder) is not { } feeds)
            {
                continue;
            }

            var inputs = node.Inputs.Select(i => i is null ? null : i.Initializer ?? feeds.First(f => f.Key == i.Name).Value).ToArray();
            if (NodeEvaluator.BuiltIn.TryEvaluate(node, model.Opset, inputs) is not { } outputs)
            {
                continue;
            }

            covered[node.OpType] = covered.GetValueOrDefault(node.OpType) + 1;
            for (var i = 0; i < outputs.Length; i++)
            {
                if (TensorFiles.TryRead(Path.Combine(folder, $"output_{i}.pb")) is { } expected
                    && TensorComparison.Difference(expected, outputs[i]) is { } difference)
                {
                    wrong.Add($"{Path.GetFileName(Path.GetDirectoryName(path))}: {difference}");
                }
            }
        }

        Assert.True(wrong.Count == 0, string.Join('\n', wrong));
        // All operators with an evaluator but those of which the cases hold no type that it covers.
        string[] operators =
        [
            "Abs", "Add", "And", "Cast", "CastLike", "Ceil", "Concat", "ConstantOfShape", "Div", "Equal", "Expand", "Flatten", "Floor", "Gather", "Greater",
            "GreaterOrEqual", "Identity", "Less", "LessOrEqual", "Max", "Min", "Mod", "Mul", "Neg", "Not", "Or", "Pad", "Range", "Reciprocal", "ReduceMax", "ReduceMin",
            "Reshape", "Round", "Shape", "Size", "Slice", "Split", "Sqrt", "Squeeze", "Sub", "Tile", "Transpose", "Unsqueeze", "Where", "Xor",
        ];
        Assert.Equal(operators, covered.Keys);
    }
}
