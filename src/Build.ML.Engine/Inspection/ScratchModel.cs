using Build.ML.Abstractions.Inference;
using Build.ML.Graph;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;

namespace Build.ML.Engine.Inspection;

/// <summary>A small model made of a few nodes of another, to let the runtime compute what they yield.</summary>
internal sealed class ScratchModel : IDisposable
{
    private readonly Dictionary<Value, Value> _copies = new(ReferenceEqualityComparer.Instance);
    private readonly Model _model;

    /// <summary>An empty model with the operator sets of <paramref name="source"/>.</summary>
    public ScratchModel(Model source)
    {
        _model = new Model(new OnnxGraph("weight"), source.Opset) { IrVersion = source.IrVersion };
        foreach (var (domain, version) in source.OperatorSets)
        {
            _model.OperatorSets[domain] = version;
        }
    }

    /// <summary>The graph, to add nodes to.</summary>
    public OnnxGraph Graph => _model.Graph;

    /// <summary>Lets <paramref name="stand"/> be read wherever copied nodes read <paramref name="original"/>.</summary>
    public void Substitute(Value original, Value stand) => _copies.Add(original, stand);

    /// <summary>A value of the other model, with all that computes it; what it depends on must be constant or substituted.</summary>
    public Value Copy(Value value)
    {
        if (_copies.TryGetValue(value, out var known))
        {
            return known;
        }

        if (value.Constant is { } constant)
        {
            var copy = Graph.AddInitializer(Graph.UniqueName(value.Name), constant);
            _copies.Add(value, copy);
            return copy;
        }

        var node = value.Producer ?? throw new InvalidOperationException($"'{value.Name}' is neither computed nor constant.");
        var twin = Graph.CreateNode(node.OpType, node.Domain);
        twin.SetInputs([.. node.Inputs.Select(i => i is null ? null : Copy(i))]);
        foreach (var attribute in node.Attributes)
        {
            twin.SetAttribute(attribute);
        }

        foreach (var output in node.Outputs)
        {
            _copies.Add(output, twin.AddOutput(Graph.UniqueName(output.Name)));
        }

        Graph.InsertBefore(null, twin);
        return _copies[value];
    }

    /// <summary>Lets the runtime compute a value, as 32-bit floats.</summary>
    /// <param name="value">A value of <see cref="Graph"/>.</param>
    /// <param name="inference">Runs the model.</param>
    /// <param name="feeds">What it is fed.</param>
    public Tensor Compute(Value value, IInference inference, params ReadOnlySpan<KeyValuePair<string, Tensor>> feeds)
    {
        var real = Graph.Add("Cast", [value], "real_numbers", [NodeAttribute.Int("to", (long)DataType.Float)]);
        Graph.AddOutput(real);
        using var session = inference.Open(_model);
        return session.Run([.. feeds])[0];
    }

    /// <inheritdoc/>
    public void Dispose() => _model.Dispose();
}
