using Build.ML.Graph.Diagnostics;

namespace Build.ML.Graph.Tests.Io;

public sealed class ExtractTests
{
    [Fact]
    public void A_part_has_the_nodes_their_initializers_and_what_subgraphs_read()
    {
        // add, If (branches read sum and two), Loop, a node of another domain, a call of a function.
        using var model = Model.Load(OnnxSample.Rich());
        var graph = model.Graph;
        var branching = graph.Nodes.Single(n => n.OpType == "If");
        branching.Outputs[0].Type = new TensorType(DataType.Float);
        using var part = model.Extract([branching], [new(graph.Find("sum")!, new TensorType(DataType.Float))], [branching.Outputs[0]]);

        Assert.Equal(["sum"], part.Graph.Inputs.Select(i => i.Name));
        Assert.Equal(["chosen"], part.Graph.Outputs.Select(o => o.Name));
        Assert.Equal(["flag", "two"], part.Graph.Initializers.Select(i => i.Name).Order());
        Assert.Equal(["If", "Mul", "Mul"], part.AllNodes.Select(n => n.OpType));
        Assert.All(part.AllNodes.Where(n => n.OpType == "Mul"), n => Assert.Equal([part.Graph.Find("sum"), part.Graph.Find("two")], n.Inputs));
        Assert.Equal(model.OperatorSets, part.OperatorSets);
        Assert.Single(part.Functions);
        Assert.DoesNotContain(part.Validate(), d => d.Severity == Severity.Error);
        // The model itself is as it was.
        Assert.Equal(5, graph.NodeCount);
        Assert.Equal("sum", branching.Subgraphs.First().Nodes.First().Inputs[0]!.Name);
        Assert.Same(graph, branching.Subgraphs.First().Nodes.First().Inputs[0]!.Graph);
    }

    [Fact]
    public void A_value_that_nobody_gives_is_refused()
    {
        using var model = Model.Load(OnnxSample.Rich());
        var branching = model.Graph.Nodes.Single(n => n.OpType == "If");
        Assert.Throws<KeyNotFoundException>(() => model.Extract([branching], [], [branching.Outputs[0]]).Dispose());
    }

    [Fact]
    public void A_part_reads_its_weights_after_the_model_was_disposed()
    {
        using var folder = new TemporaryFolder();
        var path = folder.PathOf("m.onnx");
        File.WriteAllBytes(path, OnnxSample.Add());
        Model part;
        using (var model = Model.Open(path))
        {
            var add = model.Graph.FirstNode!;
            part = model.Extract([add], [new(add.Inputs[0]!, add.Inputs[0]!.Type)], [add.Outputs[0]]);
        }

        using (part)
        {
            Assert.Equal([1f, 2f], part.Graph.Find("w")!.Initializer!.ToArray<float>());
        }
    }

    [Fact]
    public void Reads_names_inputs_and_what_subgraphs_read()
    {
        using var model = Model.Load(OnnxSample.Rich());
        Assert.Equal(["flag", "sum", "two"], model.Graph.Nodes.Single(n => n.OpType == "If").Reads().Select(v => v.Name).Distinct().Order());
        Assert.Equal(["chosen", "sum", "trips"], model.Graph.Nodes.Single(n => n.OpType == "Loop").Reads().Select(v => v.Name).Distinct().Order());
    }
}
