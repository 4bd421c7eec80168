using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;

namespace Build.ML.Graph.Tests.Io;

public sealed class ValidatorTests
{
    /// <summary>Each code with a change to a valid model that brings it about.</summary>
    public static TheoryData<string, Severity, Action<Model>> Violations => new()
    {
        { "BML2030", Severity.Error, m => m.IrVersion = 99 },
        { "BML2031", Severity.Error, m => m.OperatorSets.Remove("") },
        { "BML2031", Severity.Error, m => m.Graph.FirstNode!.Domain = "com.example" },
        { "BML2031", Severity.Error, m => m.OperatorSets.Add("", 20) },
        { "BML2031", Severity.Error, m => m.OperatorSets.Add("com.example", 0) },
        { "BML2014", Severity.Error, m => m.Graph.SetInitializer(m.Graph.Find("w")!, null) },
        { "BML2032", Severity.Error, m => m.Graph.FirstNode!.SetInput(0, m.Graph.Add("Neg", [m.Graph.Find("x")], "later")) },
        { "BML2015", Severity.Error, m => m.Graph.FirstNode!.SetInput(0, m.Graph.Add("Neg", [m.Graph.Find("y")], "later")) },
        { "BML2035", Severity.Warning, m => AddIf(m).AddInitializer("w2", Tensor.Scalar(1f)).Graph.Rename(AddIf(m).Find("w2")!, "w2") },
        { "BML2036", Severity.Error, m => m.Graph.FirstNode!.OpType = "" },
        { "BML2037", Severity.Error, m => m.Graph.FirstNode!.SetAttribute(new NodeAttribute("a", AttributeKind.Undefined, null)) },
        { "BML2037", Severity.Error, m => m.Graph.FirstNode!.SetAttribute(new NodeAttribute("a", AttributeKind.Int, 1f)) },
        { "BML2037", Severity.Error, m => m.Graph.FirstNode!.SetAttribute(NodeAttribute.Int("", 1)) },
        { "BML2037", Severity.Error, m => m.Graph.FirstNode!.SetAttribute(new NodeAttribute("a", AttributeKind.Int, null) { ReferenceName = "b" }) },
        { "BML2038", Severity.Error, m => m.Graph.AddInput("untyped", null) },
        { "BML2038", Severity.Error, m => m.Graph.AddInput("untyped", new TensorType(DataType.Undefined)) },
        { "BML2039", Severity.Warning, m => m.Graph.AddOutput(m.Graph.Find("y")!) },
        { "BML2040", Severity.Warning, m => m.IrVersion = 3 },
        { "BML2041", Severity.Error, m => m.Graph.Find("w")!.Type = new TensorType(DataType.Int8, Shape.Of(2)) },
        { "BML2041", Severity.Error, m => m.Graph.Find("w")!.Type = new TensorType(DataType.Float, Shape.Of(3)) },
        { "BML2042", Severity.Error, m => m.Graph.SparseInitializers.Add(new(m.Graph.Find("w")!, new SparseTensor(Tensor.Of([1f]), Tensor.Of([1, 2]), [2]))) },
        { "BML2043", Severity.Error, m => { m.Functions.Add(Function("f", "Neg")); m.Functions.Add(Function("f", "Neg")); } },
        { "BML2044", Severity.Error, m => { m.Functions.Add(Function("f", "g")); m.Functions.Add(Function("g", "f")); } },
    };

    [Fact]
    public void A_valid_model_has_no_violation() => Assert.Empty(Valid().Validate());

    [Theory]
    [MemberData(nameof(Violations))]
    public void Each_requirement_is_checked(string code, Severity severity, Action<Model> change)
    {
        using var model = Valid();
        change(model);

        var found = model.Validate();

        Assert.Contains(found, v => v.Code == code && v.Severity == severity);
        Assert.All(found, v => Assert.True(v.Code == code || (code == "BML2044" && v.Code == "BML2031"), v.ToString()));
    }

    [Fact]
    public void All_violations_are_told_at_once()
    {
        using var model = Valid();
        model.IrVersion = 0;
        model.OperatorSets.Remove("");
        model.Graph.AddInput("untyped", null);

        Assert.Equal(["BML2030", "BML2031", "BML2038"], model.Validate().Where(v => v.Severity == Severity.Error).Select(v => v.Code).Order());
    }

    static Model Valid() => Model.Load(OnnxSample.Add());

    static OnnxGraph AddIf(Model model)
    {
        if (model.Graph.Find("chosen")?.Producer is { } existing)
            return existing.Subgraphs.First();
        var (then, other) = (new OnnxGraph("then"), new OnnxGraph("else"));
        foreach (var graph in new[] { then, other })
            graph.AddOutput(graph.Add("Neg", [model.Graph.Find("x")], graph.Name + "_out"));
        var condition = model.Graph.AddInitializer("condition", Tensor.Scalar(true));
        model.Graph.Add("If", [condition], "chosen", [NodeAttribute.Graph("then_branch", then), NodeAttribute.Graph("else_branch", other)]);
        then.Rename(then.Outputs[0], "w");
        return then;
    }

    static Function Function(string name, string calls)
    {
        var function = new Function("local", name) { OperatorSets = { { "", 21 }, { "local", 1 } } };
        var x = function.Body.AddInput("x", null);
        function.Body.AddOutput(function.Body.Add(calls, [x], "y", domain: calls == "Neg" ? "" : "local"));
        return function;
    }
}
