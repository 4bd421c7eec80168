using System.Collections.Immutable;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Shapes;

namespace Build.ML.Graph.Blocks;

/// <summary>
/// Finds the residual blocks of a model's main graph. A residual connection is an addition of a value and a function of that value which has a matrix in it (gelu's polynomial has none); the
/// connections whose inputs and outputs meet, directly or through a tail without matrices, are a stream. Where the connections of a stream repeat (attention, feed-forward, attention, …),
/// one repetition is one block: a transformer's layer; a residual network's block where its shortcut is the identity.
/// </summary>
public static class ResidualBlocks
{
    private const int LongestPeriod = 12;

    /// <summary>Finds them.</summary>
    /// <param name="model">Not changed.</param>
    /// <returns>Runs of blocks that are alike, in order of execution.</returns>
    public static IReadOnlyList<BlockRun> Find(Model model)
    {
        ArgumentNullException.ThrowIfNull(model);
        var cone = new GraphCone(model.Graph);
        var runs = new List<BlockRun>();
        foreach (var stream in new ResidualBranches(cone, ShapeInference.Infer(model)).Find())
        {
            for (var i = 0; i < stream.Count;)
            {
                var (period, count) = Period(stream, i);
                runs.Add(new([.. Enumerable.Range(0, count).Select(r => Block(cone, stream.GetRange(i + (r * period), period)))]));
                i += period * count;
            }
        }

        return WithNames(runs);
    }

    // The shortest period that covers most.
    private static (int Length, int Count) Period(List<ResidualBranch> stream, int start)
    {
        var best = (Length: 1, Count: 1);
        for (var length = 1; length <= LongestPeriod && start + (2 * length) <= stream.Count; length++)
        {
            var same = 0;
            while (start + length + same < stream.Count && AreAlike(stream[start + same], stream[start + same + length]))
            {
                same++;
            }

            var count = 1 + (same / length);
            if (count > 1 && count * length > best.Length * best.Count)
            {
                best = (length, count);
            }
        }

        return best;
    }

    private static bool AreAlike(ResidualBranch a, ResidualBranch b) =>
        a.Structure == b.Structure && a.Tail.Count == b.Tail.Count && BlockStructure.Of(a.Sum, a.Tail) == BlockStructure.Of(b.Sum, b.Tail);

    private static ResidualBlock Block(GraphCone cone, List<ResidualBranch> branches)
    {
        ResidualBlock[] parts = [.. branches.Select(b => Checked(cone, new()
        {
            Name = "",
            Input = b.Input,
            Output = b.Output,
            Nodes = [.. b.Nodes, .. b.Tail],
            Structure = BlockStructure.Of(b.Input, [.. b.Nodes, .. b.Tail]),
        }))];
        if (parts.Length == 1)
        {
            return parts[0];
        }

        ImmutableArray<Node> nodes = [.. parts.SelectMany(p => p.Nodes)];
        return Checked(cone, new()
        {
            Name = "",
            Input = parts[0].Input,
            Output = parts[^1].Output,
            Nodes = nodes,
            Structure = BlockStructure.Of(parts[0].Input, nodes),
            Parts = [.. parts],
        });
    }

    // What else than the output depends on the block: only what it returns of a cache that is its own.
    private static ResidualBlock Checked(GraphCone cone, ResidualBlock block)
    {
        var (side, values) = cone.After(block.Nodes, block.Output);
        var dead = cone.DeadWithout(block.Nodes.Concat(side), block.Input);
        var inputs = block.Output.Graph.Inputs.Where(i => i != block.Input && i.Uses.Count > 0 && i.Uses.All(u => dead.Contains(u.Node))).ToArray();
        var outputs = values.Where(v => v.IsGraphOutput).OrderBy(v => v.Graph.Outputs.TakeWhile(o => o != v).Count()).ToArray();
        foreach (var output in outputs)
        {
            if (cone.DependsOn(output, block.Output) || !inputs.Any(i => cone.DependsOn(output, i)))
            {
                var reader = side.FirstOrDefault(n => n.Reads().Any(v => v.Producer is { } p && block.Nodes.Contains(p)));
                return block with
                {
                    Obstacle = reader is null || reader.Outputs.Contains(output)
                        ? $"output '{output.Name}' of the model is computed inside it"
                        : $"{reader.DisplayName} outside of it reads what is computed inside it",
                };
            }
        }

        ImmutableArray<Value> caches = [.. inputs.Where(i => outputs.Any(o => cone.DependsOn(o, i)))];
        return block with { CacheInputs = caches, CacheOutputs = [.. outputs] };
    }

    private static List<BlockRun> WithNames(List<BlockRun> runs)
    {
        var names = new HashSet<string>(StringComparer.Ordinal);
        return [.. runs.Select(r => new BlockRun([.. r.Blocks.Select(b => Named(b) with { Parts = [.. b.Parts.Select(p => p with { Name = p.Output.Name })] })]))];

        ResidualBlock Named(ResidualBlock block)
        {
            var name = CommonPrefix(block);
            return block with { Name = name.Length > 0 && names.Add(name) ? name : block.Output.Name };
        }
    }

    // Whole parts of names, as in "model.layers.3" of "model.layers.3.mlp" and "model.layers.3.attention".
    private static string CommonPrefix(ResidualBlock block)
    {
        var names = block.Nodes.Where(n => n.Name.Length > 0).Select(n => n.Name).ToArray();
        var length = names.Length == 0 ? 0 : names.Min(n => n.Length);
        for (var i = 0; i < length; i++)
        {
            if (names.Any(n => n[i] != names[0][i]))
            {
                length = i;
            }
        }

        return length == 0 ? "" : names[0][..(names[0].AsSpan(0, length).LastIndexOfAny('.', '/') + 1)].TrimEnd('.', '/');
    }
}
