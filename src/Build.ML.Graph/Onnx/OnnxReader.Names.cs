using Build.ML.Graph.Ir;

namespace Build.ML.Graph.Onnx;

internal sealed partial class OnnxReader
{
    private readonly List<PendingNode> _pendingNodes = [];
    private readonly List<PendingGraph> _pendingGraphs = [];

    private readonly record struct PendingNode(Node Node, List<string> Inputs);

    private readonly record struct PendingGraph(OnnxGraph Graph, List<ValueRecord> Outputs, string Place);

    /// <summary>
    /// Turns names into values once all graphs are read: a file lists a graph's nodes before its inputs and initializers, and subgraphs before
    /// what follows them outside.
    /// </summary>
    private void ResolveNames()
    {
        foreach (var (node, names) in _pendingNodes)
        {
            var inputs = new Value?[names.Count];
            for (var i = 0; i < inputs.Length; i++)
            {
                if (names[i].Length > 0 && (inputs[i] = node.Graph.Find(names[i])) is null)
                {
                    Report(
                        "BML2014",
                        $"In graph '{node.Graph.Name}', {node.DisplayName} reads '{names[i]}' (input {i}), which no input, initializer or node gives; "
                        + "correct the name or add what is missing.");
                }
            }

            node.SetInputs(inputs);
        }

        foreach (var (graph, outputs, place) in _pendingGraphs)
        {
            ResolveRecords(graph, outputs, place);
        }

        foreach (var graph in _pendingGraphs.Select(g => g.Graph).Where(g => !TopologicalOrder.IsSorted(g)))
        {
            foreach (var node in TopologicalOrder.NodesInCycles(graph))
            {
                Report(
                    "BML2015",
                    $"In graph '{graph.Name}', {node.DisplayName} depends on its own output by way of '{(node.Outputs.Count > 0 ? node.Outputs[0].Name : "")}'; a graph must have no cycle.");
            }
        }
    }

    private void ResolveRecords(OnnxGraph graph, List<ValueRecord> outputs, string place)
    {
        foreach (var record in outputs)
        {
            if (graph.Find(record.Name) is { } value)
            {
                record.Value = value;
                graph.AddOutput(value);
            }
            else
            {
                Report("BML2014", $"In {place}, the output '{record.Name}' is given by no input, initializer or node; correct the name or remove the output.");
            }
        }

        var origin = graph.Origin!;
        foreach (var record in origin.ValueInfos)
        {
            record.Value = graph.FindHere(record.Name);
        }

        for (var i = 0; i < origin.Annotations.Count; i++)
        {
            var (name, _, bytes) = origin.Annotations[i];
            origin.Annotations[i] = (name, graph.FindHere(name), bytes);
        }

        foreach (var records in (ReadOnlySpan<List<ValueRecord>>)[origin.Inputs, origin.Outputs, origin.ValueInfos])
        {
            foreach (var record in records)
            {
                // An outer value that a subgraph returns keeps the type it has outside.
                if (record.Value is { } value && value.Graph == graph)
                {
                    value.Type ??= record.Type;
                    if (value.DocString.Length == 0 && value.Metadata.Count == 0)
                    {
                        record.IsPrimary = true;
                        value.DocString = record.DocString;
                        foreach (var entry in record.Metadata)
                        {
                            value.Metadata.Add(entry);
                        }
                    }
                }
            }
        }

        foreach (var records in (ReadOnlySpan<List<ValueRecord>>)[origin.Inputs, origin.Outputs, origin.ValueInfos])
        {
            foreach (var record in records)
            {
                record.AssignedType = record.Value?.Type;
            }
        }
    }
}
