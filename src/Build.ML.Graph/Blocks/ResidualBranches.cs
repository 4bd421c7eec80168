using Build.ML.Graph.Ir;
using Build.ML.Graph.Shapes;

namespace Build.ML.Graph.Blocks;

/// <summary>One residual connection: output = input + f(input), and what follows up to the next one's input.</summary>
/// <param name="Input">What is added to f of it.</param>
/// <param name="Sum">The addition's output.</param>
/// <param name="Nodes">f and the addition, in order.</param>
internal sealed record ResidualBranch(Value Input, Value Sum, IReadOnlyList<Node> Nodes)
{
    /// <summary>Nodes after the addition, without matrices: a rectifier, a normalization. May be empty.</summary>
    public IReadOnlyList<Node> Tail { get; init; } = [];

    /// <summary>What leaves the tail.</summary>
    public Value Output { get; init; } = Sum;

    /// <summary>Operators, attributes, shapes and connections.</summary>
    public string Structure { get; } = BlockStructure.Of(Input, Nodes);
}

/// <summary>Finds residual connections and joins them to streams.</summary>
internal sealed class ResidualBranches(GraphCone cone, ShapeInferenceResult types)
{
    // A tail is a rectifier or a normalization, at most a decomposed one with its activation.
    private const int LongestTail = 24;

    /// <summary>Streams in order; in each, every connection's output is the next one's input.</summary>
    public List<List<ResidualBranch>> Find()
    {
        var branches = cone.Nodes.Select(BranchOf).OfType<ResidualBranch>().ToList();
        var sums = branches.Select(b => b.Sum.Producer!).ToHashSet();
        branches.RemoveAll(b => b.Nodes.Any(n => n != b.Sum.Producer && sums.Contains(n))); // the inner ones of nested connections are the blocks
        var byInput = branches.GroupBy(b => b.Input).Where(g => g.Count() == 1).ToDictionary(g => g.Key, g => g.First());
        var streams = new List<List<ResidualBranch>>();
        var taken = new HashSet<ResidualBranch>(ReferenceEqualityComparer.Instance);
        foreach (var first in branches)
        {
            if (taken.Contains(first))
            {
                continue;
            }

            var stream = new List<ResidualBranch>();
            for (var branch = first; branch is not null && taken.Add(branch);)
            {
                var (completed, next) = Following(branch, byInput);
                stream.Add(completed);
                branch = next;
            }

            if (stream.Count > 1 && stream[^1].Tail.Count == 0)
            {
                stream[^1] = WithTailLike(stream[^1], stream[^2]);
            }

            streams.Add(stream);
        }

        return streams;
    }

    private ResidualBranch? BranchOf(Node node)
    {
        if (!(node.Is("Add") || node.Is("Sum")) || node.Inputs.Count != 2 || node.Inputs[0] is not { } a || node.Inputs[1] is not { } b || a == b)
        {
            return null;
        }

        foreach (var (input, change) in new[] { (a, b), (b, a) })
        {
            if (change.Producer is null || input.Constant is not null || cone.PositionOf(change) <= cone.PositionOf(input) || !HaveSameShape(input, node.Outputs[0]))
            {
                continue;
            }

            var nodes = cone.Between(input, change);
            if (nodes.Any(HasMatrix))
            {
                nodes.Add(node);
                return new(input, node.Outputs[0], nodes);
            }
        }

        return null;
    }

    private (ResidualBranch Completed, ResidualBranch? Next) Following(ResidualBranch branch, Dictionary<Value, ResidualBranch> byInput)
    {
        if (byInput.TryGetValue(branch.Sum, out var next))
        {
            return (branch, next);
        }

        var start = cone.PositionOf(branch.Sum) + 1;
        for (var i = start; i < Math.Min(start + LongestTail, cone.Nodes.Count); i++)
        {
            foreach (var output in cone.Nodes[i].Outputs)
            {
                if (byInput.TryGetValue(output, out next) && cone.Between(branch.Sum, output) is { Count: > 0 } tail && IsTail(branch.Sum, output, tail))
                {
                    return (branch with { Tail = tail, Output = output }, next);
                }
            }
        }

        return (branch, null);
    }

    private bool IsTail(Value from, Value to, IReadOnlyList<Node> nodes)
    {
        var own = nodes.ToHashSet();
        return HaveSameShape(from, to) && !nodes.Any(HasMatrix)
            && from.Uses.All(u => own.Contains(u.Node)) && nodes.SelectMany(n => n.Outputs).All(o => o == to || (!o.IsGraphOutput && o.Uses.All(u => own.Contains(u.Node))));
    }

    // The last one of a stream has no next one that would say where its tail ends: it ends where the one before's does.
    private ResidualBranch WithTailLike(ResidualBranch last, ResidualBranch before)
    {
        var map = new Dictionary<Value, Value> { [before.Sum] = last.Sum };
        var tail = new List<Node>();
        foreach (var node in before.Tail)
        {
            var (source, index) = node.Inputs.Select((v, i) => (v, i)).FirstOrDefault(p => p.v is not null && map.ContainsKey(p.v));
            var twin = source is null ? null : map[source].Uses.FirstOrDefault(u => u.Index == index && u.Node.OpType == node.OpType && u.Node.Domain == node.Domain
                && u.Node.Inputs.Count == node.Inputs.Count && u.Node.Outputs.Count == node.Outputs.Count && !tail.Contains(u.Node)
                && node.Inputs.Zip(u.Node.Inputs).All(p => p.First is null || !map.TryGetValue(p.First, out var mapped) || mapped == p.Second)).Node;
            if (twin is null)
            {
                return last;
            }

            tail.Add(twin);
            for (var i = 0; i < node.Outputs.Count; i++)
            {
                map[node.Outputs[i]] = twin.Outputs[i];
            }
        }

        return tail.Count > 0 && map.TryGetValue(before.Output, out var output) && IsTail(last.Sum, output, tail) && Structure(last.Sum, tail) == Structure(before.Sum, before.Tail)
            ? last with { Tail = tail, Output = output } : last;

        static string Structure(Value input, IReadOnlyList<Node> nodes) => BlockStructure.Of(input, nodes);
    }

    // A layer with weights; those of convolutions and products may be computed by the graph.
    private static bool HasMatrix(Node node) => node is { Domain: "", OpType: "Conv" or "ConvTranspose" or "Gemm" or "MatMul" } || node.Reads().Any(v => v.Constant is { Rank: >= 2, Count: > 1, Type: not DataType.Int64 and not DataType.Int32 and not DataType.Bool });

    private bool HaveSameShape(Value a, Value b)
    {
        if (TypeOf(a) is not { Shape: { } first } left || TypeOf(b) is not { Shape: { } second } right || left.ElementType != right.ElementType || first.Rank != second.Rank)
        {
            return false;
        }

        for (var i = 0; i < first.Rank; i++)
        {
            // Of two sizes that are not known the sum has made sure, but for one that is 1 and was broadcast.
            if (first[i].Size != second[i].Size && (first[i].Size is not null || second[i].Size is not null) && (first[i].Size ?? second[i].Size) is 1)
            {
                return false;
            }

            if (first[i].Size is { } x && second[i].Size is { } y && x != y)
            {
                return false;
            }
        }

        return true;
    }

    private TensorType? TypeOf(Value value) => (types.Types.GetValueOrDefault(value) ?? value.Type) as TensorType;
}
