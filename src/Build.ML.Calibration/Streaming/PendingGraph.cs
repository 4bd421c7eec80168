using Build.ML.Graph;
using Build.ML.Graph.Ir;

namespace Build.ML.Calibration.Streaming;

/// <summary>
/// What of a graph is still to be run, as the graph is now. Only nodes that depend on data count: what follows from constants alone (weights behind a Cast, a
/// Transpose or a DequantizeLinear, shapes) is taken into each piece that reads it instead of being kept for each batch.
/// </summary>
internal sealed class PendingGraph
{
    // They yield other numbers each time, although they may read no data.
    private static readonly HashSet<string> RandomOperators = ["RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike", "Multinomial", "Bernoulli"];

    private readonly HashSet<Value> _ofData;
    private readonly Dictionary<Value, int> _lastReader = [];

    /// <summary>Looks at a graph.</summary>
    /// <param name="graph">The main graph.</param>
    /// <param name="fed">Its inputs that get data.</param>
    /// <param name="done">Nodes that were run.</param>
    public PendingGraph(OnnxGraph graph, IEnumerable<Value> fed, HashSet<Node> done)
    {
        _ofData = [.. fed];
        var nodes = new List<Node>();
        for (var node = graph.FirstNode; node is not null; node = node.Next)
        {
            if (!RandomOperators.Contains(node.OpType) && !node.Reads().Any(_ofData.Contains))
            {
                continue;
            }

            _ofData.UnionWith(node.Outputs);
            if (done.Contains(node))
            {
                continue;
            }

            foreach (var value in node.Reads())
            {
                _lastReader[value] = nodes.Count;
            }

            nodes.Add(node);
        }

        Nodes = nodes;
    }

    /// <summary>Nodes that depend on data and were not run, in order.</summary>
    public IReadOnlyList<Node> Nodes { get; }

    /// <summary>Whether a value depends on data.</summary>
    public bool IsOfData(Value value) => _ofData.Contains(value);

    /// <summary>Whether a value is needed when the nodes before number <paramref name="end"/> are done.</summary>
    public bool IsNeededAfter(Value value, int end) =>
        (_lastReader.TryGetValue(value, out var reader) && reader >= end) || value.IsGraphOutput && value.Name.Length > 0;

    /// <summary>The next piece: nodes from number <paramref name="start"/> on, cut where weights or nodes become too many.</summary>
    /// <param name="start">First node.</param>
    /// <param name="stop">Node to end before, at the latest.</param>
    /// <param name="weightLimit">Bytes of initializers after which the piece ends; one node may have more.</param>
    /// <param name="nodeLimit">Nodes after which the piece ends.</param>
    /// <param name="watched">Values to return besides those that are needed later.</param>
    public GraphPiece Take(int start, int stop, long weightLimit, int nodeLimit, IReadOnlySet<Value> watched)
    {
        var nodes = new List<Node>();
        var made = new HashSet<Value>();
        var inputs = new HashSet<Value>();
        var constants = new HashSet<Value>();
        long weights = 0;
        var end = start;
        while (end < stop && (end == start || (weights < weightLimit && end - start < nodeLimit) || !CanCut(made, end)))
        {
            var node = Nodes[end++];
            foreach (var value in node.Reads())
            {
                if (!_ofData.Contains(value))
                {
                    weights += Constant(value, constants, nodes);
                }
                else if (!made.Contains(value))
                {
                    inputs.Add(value);
                }
            }

            nodes.Add(node);
            made.UnionWith(node.Outputs);
        }

        var outputs = made.Where(v => v.Name.Length > 0 && (IsNeededAfter(v, end) || watched.Contains(v))).ToList();
        if (start == 0)
        {
            // Constants that somebody asked for: they are the same in all batches and pieces.
            foreach (var value in watched.Where(v => !_ofData.Contains(v)))
            {
                Constant(value, constants, nodes);
                outputs.Add(value);
            }
        }

        return new GraphPiece(nodes, [.. inputs], outputs, end, weights);
    }

    // Sequences and the like cannot leave the runtime.
    private bool CanCut(HashSet<Value> made, int end) => made.All(v => v.Type is null or TensorType || !IsNeededAfter(v, end));

    // Adds the nodes that a constant value follows from, each after those that it needs; bytes of initializers that were not counted yet.
    private static long Constant(Value value, HashSet<Value> seen, List<Node> nodes)
    {
        if (!seen.Add(value))
        {
            return 0;
        }

        if (value.Producer is not { } producer)
        {
            return value.Initializer?.ByteLength ?? 0;
        }

        long bytes = 0;
        foreach (var read in producer.Reads())
        {
            bytes += Constant(read, seen, nodes);
        }

        seen.UnionWith(producer.Outputs);
        nodes.Add(producer);
        return bytes;
    }
}

/// <summary>Some nodes to run together.</summary>
/// <param name="Nodes">In order of execution, with the nodes that their constants follow from.</param>
/// <param name="Inputs">Activations that they read.</param>
/// <param name="Outputs">Activations to return.</param>
/// <param name="End">Number of the first pending node that is not among them.</param>
/// <param name="WeightBytes">Bytes of the initializers that they read.</param>
internal sealed record GraphPiece(
    IReadOnlyList<Node> Nodes, IReadOnlyList<Value> Inputs, IReadOnlyList<Value> Outputs, int End, long WeightBytes);
