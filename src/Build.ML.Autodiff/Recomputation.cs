using Build.ML.Graph;
using Build.ML.Graph.Ir;

namespace Build.ML.Autodiff;

/// <summary>
/// Gradient checkpointing (Chen et al. 2016, Training Deep Nets with Sublinear Memory Cost): the forward nodes are cut into segments; of all but the last only the values that later
/// segments read are kept, and when the backward pass reaches a segment its nodes run a second time. The same operators on the same numbers: gradients keep their bits.
/// </summary>
internal sealed class Recomputation
{
    private const int MostSegments = 64;

    private readonly TrainingModelBuilder _builder;
    private readonly Node[] _nodes;
    private readonly Dictionary<Node, int> _position = [];
    private readonly int[] _starts;
    private readonly Dictionary<Value, Value> _copies = [];
    private int _segment = int.MaxValue;

    private Recomputation(TrainingModelBuilder builder, Node[] nodes, int[] starts)
    {
        (_builder, _nodes, _starts) = (builder, nodes, starts);
        for (var i = 0; i < nodes.Length; i++)
        {
            _position[nodes[i]] = i;
        }
    }

    /// <summary>Estimated bytes of activations held at once.</summary>
    public long Bytes { get; private init; }

    /// <summary>
    /// The cut with the fewest segments whose activations fit the budget, else the one that needs least; null where all activations fit as they are.
    /// </summary>
    public static Recomputation? Plan(TrainingModelBuilder builder, Node[] nodes, long budget)
    {
        var produced = new long[nodes.Length + 1];
        for (var i = 0; i < nodes.Length; i++)
        {
            produced[i + 1] = produced[i] + nodes[i].Outputs.Sum(BytesOf);
        }

        if (produced[^1] <= budget)
        {
            return null;
        }

        var live = LiveBytes(nodes);
        Recomputation? best = null;
        for (var segments = 2; segments <= Math.Min(MostSegments, nodes.Length); segments++)
        {
            var starts = Cuts(produced, live, segments);
            var bytes = starts.Sum(s => live[s]) + Largest(produced, starts);
            if (best is null || bytes < best.Bytes)
            {
                best = new Recomputation(builder, nodes, starts) { Bytes = bytes };
            }

            if (bytes <= budget)
            {
                break;
            }
        }

        return best is not null && best.Bytes < produced[^1] ? best : null;
    }

    /// <summary>Prepares the copies of the segment that a forward node is in, before its gradient is emitted.</summary>
    /// <param name="node">Forward node; from one call to the next they come in reverse order.</param>
    /// <param name="gradient">A gradient that is there when the segment's backward pass begins: the copies wait for it.</param>
    public void Enter(Node node, Value gradient)
    {
        var segment = SegmentOf(_position[node]);
        if (segment == _segment)
        {
            return;
        }

        _segment = segment;
        _copies.Clear();
        if (segment == _starts.Length)
        {
            return; // the last segment has just run
        }

        var first = segment == 0 ? 0 : _starts[segment - 1];
        var waiting = Zero(gradient);
        for (var i = first; i < _starts[segment]; i++)
        {
            Copy(_nodes[i], first, waiting);
        }
    }

    /// <summary>Lets a backward node read the copies.</summary>
    public void Redirect(Node backward)
    {
        for (var i = 0; i < backward.Inputs.Count; i++)
        {
            if (backward.Inputs[i] is { } input && _copies.TryGetValue(input, out var copy))
            {
                backward.SetInput(i, copy);
            }
        }
    }

    private int SegmentOf(int position)
    {
        var segment = 0;
        while (segment < _starts.Length && position >= _starts[segment])
        {
            segment++;
        }

        return segment;
    }

    // A number that is 0 and that cannot be computed before the gradient is: without it the runtime would run the copies whenever it likes, and hold all of them.
    private Value Zero(Value gradient)
    {
        var flat = _builder.Ops.Reshape(gradient, gradient.Count());
        return _builder.Ops.Mul(_builder.Ops.Slice(flat, [0], [0], [1]), _builder.Ops.Scalar(0));
    }

    private void Copy(Node node, int first, Value waiting)
    {
        if (node.Subgraphs.Any())
        {
            return; // kept as they are
        }

        var inputs = node.Inputs.Select(i => i is null ? null : Source(i, first, waiting)).ToArray();
        var outputs = _builder.Ops.Repeat(node, inputs);
        for (var i = 0; i < outputs.Length; i++)
        {
            _copies[node.Outputs[i]] = outputs[i];
        }
    }

    // Within the segment the copy; a float from before it waits for the gradient, which makes all that follows from it wait.
    private Value Source(Value input, int first, Value waiting)
    {
        if (_copies.TryGetValue(input, out var copy))
        {
            return copy;
        }

        if (input.Producer is { } producer && _position.TryGetValue(producer, out var position) && position < first && input.ElementType == DataType.Float)
        {
            return _copies[input] = _builder.Ops.Add(input, input.Rank() == 0 ? _builder.Ops.Reshape(waiting) : waiting);
        }

        return input;
    }

    private static int[] Cuts(long[] produced, long[] live, int segments)
    {
        var starts = new List<int>();
        var total = produced[^1];
        for (var s = 1; s < segments; s++)
        {
            // In the middle half of the share around an even cut, where the fewest bytes are alive.
            var low = total * (((s * 4) - 1) / (4.0 * segments));
            var high = total * (((s * 4) + 1) / (4.0 * segments));
            var best = -1;
            for (var i = 1; i < live.Length - 1; i++)
            {
                if (produced[i] >= low && produced[i] <= high && (best < 0 || live[i] < live[best]))
                {
                    best = i;
                }
            }

            if (best > 0 && (starts.Count == 0 || best > starts[^1]))
            {
                starts.Add(best);
            }
        }

        return [.. starts];
    }

    private static long Largest(long[] produced, int[] starts)
    {
        long largest = 0;
        var from = 0;
        foreach (var start in starts.Append(produced.Length - 1))
        {
            largest = Math.Max(largest, produced[start] - produced[from]);
            from = start;
        }

        return largest;
    }

    // Bytes of values made before a position and read by nodes at it or behind.
    private static long[] LiveBytes(Node[] nodes)
    {
        var change = new long[nodes.Length + 2];
        var position = nodes.Select((n, i) => (n, i)).ToDictionary(p => p.n, p => p.i);
        for (var i = 0; i < nodes.Length; i++)
        {
            foreach (var output in nodes[i].Outputs)
            {
                var last = output.Uses.Select(u => position.GetValueOrDefault(u.Node, -1)).DefaultIfEmpty(-1).Max();
                if (last > i)
                {
                    change[i + 1] += BytesOf(output);
                    change[last + 1] -= BytesOf(output);
                }
            }
        }

        var live = new long[nodes.Length + 1];
        for (var i = 1; i < live.Length; i++)
        {
            live[i] = live[i - 1] + change[i];
        }

        return live;
    }

    private static long BytesOf(Value value) => value.Name.Length > 0 && value.Shape?.Count is { } count ? value.ElementType.ByteLength(count) : 0;
}
