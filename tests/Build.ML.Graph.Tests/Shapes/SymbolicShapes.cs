using Build.ML.Graph.Ir;
using Build.ML.Graph.Shapes;
using Build.ML.Graph.Tensors;

namespace Build.ML.Graph.Tests.Shapes;

/// <summary>Symbolic dimensions and shapes that the graph computes.</summary>
public sealed class SymbolicShapes
{
    [Fact]
    public void A_symbol_survives_a_reshape_built_from_shape_gather_and_concat()
    {
        var model = new Model();
        var graph = model.Graph;
        var x = graph.AddInput("x", Type(new("batch"), new("seq"), 768));
        var shape = graph.Add("Shape", [x], "shape");
        var batch = graph.Add("Gather", [shape, Constant(graph, 0)], "batch_size");
        var sequence = graph.Add("Gather", [shape, Constant(graph, 1)], "sequence_length");
        var axes = graph.AddInitializer("axes", Tensor.Of([0L], 1));
        var target = graph.Add(
            "Concat",
            [
                graph.Add("Unsqueeze", [batch, axes], "b"), graph.Add("Unsqueeze", [sequence, axes], "s"),
                graph.AddInitializer("rest", Tensor.Of([12L, -1L], 2)),
            ],
            "target", [NodeAttribute.Int("axis", 0)]);
        var y = graph.Add("Reshape", [x, target], "y");
        graph.AddOutput(y);

        ShapeInference.Run(model);

        Assert.Equal("float[batch,seq,12,64]", y.Type!.ToString());
    }

    [Fact]
    public void Equal_computations_on_equal_symbols_give_equal_dimensions()
    {
        var model = new Model();
        var graph = model.Graph;
        var x = graph.AddInput("x", Type(1, 3, 48, new("width")));
        var weight = graph.AddInitializer("w", Tensor.Of(new float[8 * 3 * 3 * 3], 8, 3, 3, 3));
        NodeAttribute[] attributes = [NodeAttribute.Ints("strides", 2, 2), NodeAttribute.Ints("pads", 1, 1, 1, 1)];
        var a = graph.Add("Conv", [x, weight], "a", attributes);
        var b = graph.Add("Conv", [x, weight], "b", attributes);
        var sum = graph.Add("Add", [a, b], "sum");
        var same = graph.Add("Conv", [x, weight], "same", [NodeAttribute.Ints("pads", 1, 1, 1, 1)]);
        graph.AddOutput(sum);
        graph.AddOutput(same);

        ShapeInference.Run(model);

        Assert.Equal("[1,8,24,(width-1)/2+1]", sum.Shape!.ToString());
        Assert.Equal("[1,8,48,width]", same.Shape!.ToString());
    }

    [Fact]
    public void A_contradiction_is_a_diagnostic_that_names_node_and_sizes()
    {
        var model = new Model();
        var graph = model.Graph;
        var x = graph.AddInput("x", Type(2, 3));
        var y = graph.Add("MatMul", [x, graph.AddInitializer("w", Tensor.Of(new float[20], 4, 5))], "y");
        graph.AddOutput(y);

        var diagnostic = Assert.Single(ShapeInference.Check(model));

        Assert.Equal("BML2102", diagnostic.Code);
        Assert.Contains("MatMul 'y': inner sizes 3 of [2,3] and 4 of [4,5] must be equal", diagnostic.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void An_operator_without_a_rule_leaves_its_outputs_unknown()
    {
        var model = new Model();
        var graph = model.Graph;
        var y = graph.Add("Frobnicate", [graph.AddInput("x", Type(2, 3))], "y", domain: "com.example");
        var z = graph.Add("Relu", [y], "z");
        graph.AddOutput(z);

        var result = ShapeInference.Run(model);

        Assert.Null(y.Type);
        Assert.Null(z.Type);
        Assert.Equal(["com.example.Frobnicate"], result.OperatorsWithoutRule);
        Assert.Empty(result.Diagnostics);
    }

    [Fact]
    public void A_local_function_is_inferred_at_each_call_with_the_types_of_that_call()
    {
        var model = new Model();
        model.OperatorSets["local"] = 1;
        var function = new Function("local", "Twice");
        function.OperatorSets[""] = 21;
        var a = function.Body.AddInput("a", null);
        function.Body.AddOutput(function.Body.Add("Concat", [a, a], "b", [new NodeAttribute("axis", AttributeKind.Int, null) { ReferenceName = "along" }]));
        model.Functions.Add(function);
        var graph = model.Graph;
        var y = graph.Add("Twice", [graph.AddInput("x", Type(2, new("n")))], "y", [NodeAttribute.Int("along", 0)], "local");
        var z = graph.Add("Twice", [y], "z", [NodeAttribute.Int("along", 1)], "local");
        graph.AddOutput(z);

        ShapeInference.Run(model);

        Assert.Equal("[4,n]", y.Shape!.ToString());
        Assert.Equal("[4,n+n]", z.Shape!.ToString());
    }

    [Fact]
    public void A_carried_value_whose_size_changes_in_a_loop_has_an_unknown_size()
    {
        var model = new Model();
        var graph = model.Graph;
        var body = new OnnxGraph("body");
        body.AddInput("i", new TensorType(DataType.Int64, new Shape()));
        var condition = body.AddInput("c", new TensorType(DataType.Bool, new Shape()));
        var state = body.AddInput("state", null);
        body.AddOutput(body.Add("Identity", [condition], "c_out"));
        body.AddOutput(body.Add("Concat", [state, state], "grown", [NodeAttribute.Int("axis", 1)]));
        var y = graph.Add(
            "Loop", [graph.AddInitializer("trips", Tensor.Scalar(3L)), null, graph.AddInput("x", Type(2, 4))], "y", [NodeAttribute.Graph("body", body)]);
        graph.AddOutput(y);

        ShapeInference.Run(model);

        Assert.Equal("[2,?]", y.Shape!.ToString());
    }

    private static TensorType Type(params Dimension[] dimensions) => new(DataType.Float, new Shape(dimensions));

    private static Value Constant(OnnxGraph graph, long value) => graph.AddInitializer("c", Tensor.Scalar(value));
}
