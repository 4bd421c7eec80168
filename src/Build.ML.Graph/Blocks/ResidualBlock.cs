using System.Collections.Immutable;
using Build.ML.Graph.Ir;

namespace Build.ML.Graph.Blocks;

/// <summary>
/// A residual block: a part of the main graph between two values of one shape on the same residual stream, output = tail(input + f(input)), where the tail (a rectifier, a normalization) has no
/// matrices. Its input can stand for its output, so that it can be taken out (<see cref="Remove"/>).
/// </summary>
public sealed record ResidualBlock
{
    /// <summary>For reports: what the names of its nodes begin with, or else its output's name.</summary>
    public required string Name { get; init; }

    /// <summary>The value that enters it.</summary>
    public required Value Input { get; init; }

    /// <summary>The value that leaves it, of the input's type and shape.</summary>
    public required Value Output { get; init; }

    /// <summary>The nodes between the two, in order of execution; nodes that only prepare what they read (constants, shapes) are not among them.</summary>
    public required ImmutableArray<Node> Nodes { get; init; }

    /// <summary>What two blocks have in common that differ only in the content of their weights: operators, attributes, shapes, connections.</summary>
    public required string Structure { get; init; }

    /// <summary>The single residual connections it consists of, in order, such as attention and feed-forward part; empty where it is one itself.</summary>
    public ImmutableArray<ResidualBlock> Parts { get; init; } = [];

    /// <summary>Graph inputs that only this block reads and returns extended, such as keys and values of earlier tokens: they disappear with it.</summary>
    public ImmutableArray<Value> CacheInputs { get; init; } = [];

    /// <summary>Graph outputs that belong to <see cref="CacheInputs"/>: they disappear with it.</summary>
    public ImmutableArray<Value> CacheOutputs { get; init; } = [];

    /// <summary>Why it cannot be removed, naming the node or output that needs what is inside; null where it can.</summary>
    public string? Obstacle { get; init; }

    /// <summary>Lets its input stand for its output and removes all that nothing needs any more: its nodes, weights, cache inputs and cache outputs.</summary>
    /// <exception cref="InvalidOperationException">It has an <see cref="Obstacle"/>, or is no part of the graph (any more).</exception>
    public void Remove()
    {
        var graph = Output.Graph;
        if (Obstacle is not null || Output.Producer is not { } last)
        {
            throw new InvalidOperationException($"Block '{Name}' cannot be removed: {Obstacle ?? "it is not in the graph"}.");
        }

        graph.Replace(Output, Input);
        foreach (var output in CacheOutputs)
        {
            graph.RemoveOutput(graph.Outputs.TakeWhile(o => o != output).Count());
        }

        RemoveDead(graph, last);
        foreach (var input in CacheInputs.Where(i => i.IsUnused))
        {
            graph.RemoveInput(input);
        }
    }

    // What nothing reads any more: from the last node backwards, and the ends of branches on the way.
    private void RemoveDead(OnnxGraph graph, Node last)
    {
        var pending = new Queue<Node>([last, .. CacheOutputs.Select(o => o.Producer!), .. Nodes.Reverse()]);
        var removed = new HashSet<Node>();
        while (pending.TryDequeue(out var node))
        {
            if (removed.Contains(node) || node.Outputs.Any(o => !o.IsUnused))
            {
                continue;
            }

            var read = node.Reads().Distinct().ToArray();
            removed.Add(node);
            graph.Remove(node);
            foreach (var value in read)
            {
                if (value.Producer is { } producer)
                {
                    pending.Enqueue(producer);
                }
                else if (value is { IsUnused: true, IsGraphInput: false, Initializer: not null })
                {
                    graph.SetInitializer(value, null);
                }
            }
        }
    }
}
