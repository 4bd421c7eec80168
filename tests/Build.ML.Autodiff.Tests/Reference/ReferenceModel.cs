using System.Reflection;
using Build.ML.Graph;
using Build.ML.Graph.Ir;

namespace Build.ML.Autodiff.Tests.Reference;

/// <summary>A model evaluated in double precision. What a changed weight does not reach is evaluated once.</summary>
public sealed class ReferenceModel
{
    readonly Dictionary<Value, DoubleTensor> known = [];
    readonly (Node Node, Func<Node, DoubleTensor?[], DoubleTensor[]> Operator)[] nodes;
    readonly Value output;

    public ReferenceModel(Model model, IReadOnlyDictionary<string, DoubleTensor> inputs, string outputName)
    {
        output = model.Graph.Find(outputName)!;
        nodes = [.. model.Graph.Nodes.Select(n => (n, OperatorOf(n)))];
        foreach (var initializer in model.Graph.Initializers)
            known[initializer] = DoubleTensor.Of(initializer.Initializer!);
        foreach (var input in model.Graph.Inputs)
            if (inputs.TryGetValue(input.Name, out var value))
                known[input] = value;
        foreach (var (node, run) in nodes)
            Run(node, run, known, known);
    }

    /// <summary>The output as the model is.</summary>
    public DoubleTensor Output => known[output];

    /// <summary>The output with other content in the place of one initializer.</summary>
    public DoubleTensor With(Value initializer, DoubleTensor content)
    {
        var changed = new Dictionary<Value, DoubleTensor> { [initializer] = content };
        foreach (var (node, run) in nodes)
            if (node.Reads().Any(changed.ContainsKey))
                Run(node, run, changed, known);
        return changed.GetValueOrDefault(output) ?? Output;
    }

    static void Run(Node node, Func<Node, DoubleTensor?[], DoubleTensor[]> run, Dictionary<Value, DoubleTensor> to, Dictionary<Value, DoubleTensor> otherwise)
    {
        var results = run(node, [.. node.Inputs.Select(i => i is null ? null : to.GetValueOrDefault(i) ?? otherwise[i])]);
        for (var i = 0; i < results.Length; i++)
            to[node.Outputs[i]] = results[i];
    }

    static Func<Node, DoubleTensor?[], DoubleTensor[]> OperatorOf(Node node) =>
        typeof(ReferenceOperators).GetMethod(node.OpType, BindingFlags.Public | BindingFlags.Static)?.CreateDelegate<Func<Node, DoubleTensor?[], DoubleTensor[]>>()
        ?? throw new NotSupportedException($"{node.DisplayName}: the reference has no {node.OpType}.");
}
