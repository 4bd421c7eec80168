using Build.ML.Abstractions.Architectures;
using Build.ML.Graph;
using Build.ML.Graph.Catalogs;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;

namespace Build.ML.TestPlugins;

/// <summary>One weight: the seed.</summary>
[Architecture("test-tiny")]
public sealed record TinyNetwork : Architecture
{
    /// <summary>Number of outputs. Default 2.</summary>
    public int Classes { get; init; } = 2;

    /// <inheritdoc/>
    public override Model Build(long seed)
    {
        var graph = new OnnxGraph("tiny");
        var x = graph.AddInput("x", new TensorType(DataType.Float, new Shape([Classes])));
        graph.AddOutput(graph.Add("Mul", [x, graph.AddInitializer("weight", Tensor.Of<float>([seed], 1))], "y"));
        return new Model(graph);
    }
}

/// <summary>A kind of the plugin's own.</summary>
public abstract record TestKind;

/// <summary>Names members of it.</summary>
public sealed class TestKindAttribute(string name) : CatalogAttribute(name)
{
    /// <inheritdoc/>
    public override Type EntryType => typeof(TestKind);
}

/// <summary>A member.</summary>
[TestKind("only")]
public sealed record OnlyTest : TestKind;
