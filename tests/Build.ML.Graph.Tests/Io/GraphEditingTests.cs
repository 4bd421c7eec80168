using Build.ML.Graph.Tensors;

namespace Build.ML.Graph.Tests.Io;

public sealed class GraphEditingTests
{
    [Fact]
    public void A_unique_name_is_not_that_of_a_value_in_a_subgraph_or_around()
    {
        using var model = Model.Load(OnnxSample.Rich());
        var branch = model.AllNodes.Single(n => n.OpType == "If").Subgraphs.First();

        Assert.NotEqual("then_y", model.Graph.UniqueName("then_y"));
        Assert.NotEqual("sum", branch.UniqueName("sum"));
        Assert.Equal("free", model.Graph.UniqueName("free"));
    }

    [Fact]
    public void A_name_in_a_subgraph_is_free_again_when_the_subgraph_is_gone()
    {
        using var model = Model.Load(OnnxSample.Rich());
        var node = model.AllNodes.Single(n => n.OpType == "If");
        node.RemoveAttribute("then_branch");

        Assert.Equal("then_y", model.Graph.UniqueName("then_y"));
    }

    [Fact]
    public void Many_nodes_are_added_and_rewired_in_linear_time()
    {
        using var model = Model.Load(OnnxSample.Add());
        var graph = model.Graph;
        var x = graph.Find("x")!;
        for (var i = 0; i < 50_000; i++)
            graph.Add("Neg", [x], "n");
        var start = System.Diagnostics.Stopwatch.StartNew();
        x.ReplaceUsesWith(graph.Find("w")!);

        Assert.True(start.Elapsed < TimeSpan.FromSeconds(20), $"{start.Elapsed}"); // quadratic: minutes
        Assert.Empty(x.Uses);
        Assert.Equal(50_002, graph.Find("w")!.Uses.Count);
    }

    [Fact]
    public void Replacing_a_value_by_itself_changes_nothing()
    {
        using var model = Model.Load(OnnxSample.Add());
        var x = model.Graph.Find("x")!;
        x.ReplaceUsesWith(x);

        Assert.Single(x.Uses);
        Assert.Equal(OnnxSample.Add(), model.ToBytes());
    }

    [Fact]
    public void A_subgraph_that_returns_an_outer_value_keeps_it_in_use()
    {
        var branch = new ProtoMessage().Text(2, "then").Message(12, OnnxSample.TensorValue("w", 1, 2));
        var graph = new ProtoMessage()
            .Message(1, OnnxSample.Node("If", ["c"], ["y"], "if", OnnxSample.Attribute("then_branch", 5, a => a.Message(6, branch)), OnnxSample.Attribute("else_branch", 5, a => a.Message(6, branch))))
            .Text(2, "g")
            .Message(5, OnnxSample.RawTensor("w", 1, [0, 0, 128, 63, 0, 0, 0, 64], 2)).Message(11, OnnxSample.TensorValue("c", 9)).Message(12, OnnxSample.TensorValue("y", 1, 2));
        var bytes = OnnxSample.Model(graph).ToArray();
        using var model = Model.Load(bytes);
        Assert.Equal(bytes, model.ToBytes());
        Assert.True(model.Graph.Find("w")!.IsGraphOutput);

        model.Graph.Replace(model.Graph.Find("w")!, model.Graph.AddInitializer("v", Tensor.Of([3f, 4f])));

        Assert.All(model.Graph.FirstNode!.Subgraphs, g => Assert.NotEqual(model.Graph.Find("w"), g.Outputs[0]));
        Assert.Empty(model.Validate());
    }
}
