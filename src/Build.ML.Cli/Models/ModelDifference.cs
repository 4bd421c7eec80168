using Build.ML.Graph;
using Build.ML.Graph.Ir;

namespace Build.ML.Cli.Models;

/// <summary>How one model differs from another: what was added, removed and changed, by name.</summary>
/// <param name="Before">The first model.</param>
/// <param name="After">The second model.</param>
/// <param name="Nodes">Nodes.</param>
/// <param name="Operators">Operators that occur more or less often.</param>
/// <param name="Weights">Weights; those that are equal are only counted.</param>
/// <param name="EqualWeights">Weights with the same type, shape and content in both.</param>
/// <param name="Signature">Inputs and outputs that were added, removed, or changed their type.</param>
internal sealed record ModelDifference(
    ModelSide Before, ModelSide After, IReadOnlyList<NodeChange> Nodes, IReadOnlyList<OperatorChange> Operators,
    IReadOnlyList<WeightChange> Weights, int EqualWeights, IReadOnlyList<SignatureChange> Signature)
{
    /// <summary>Whether nothing differs.</summary>
    public bool AreEqual => Nodes.Count + Weights.Count + Signature.Count == 0;

    /// <summary>Compares two models. Weights are read one at a time.</summary>
    public static ModelDifference Between(Model before, string beforeFile, Model after, string afterFile, CancellationToken cancellation)
    {
        var old = ModelWeights.Of(before).ToDictionary(w => w.Name, w => w.Tensor, StringComparer.Ordinal);
        var now = ModelWeights.Of(after).ToDictionary(w => w.Name, w => w.Tensor, StringComparer.Ordinal);
        var weights = new List<WeightChange>();
        foreach (var name in old.Keys.Union(now.Keys).Order(StringComparer.Ordinal))
        {
            cancellation.ThrowIfCancellationRequested();
            if (WeightChange.Of(name, old.GetValueOrDefault(name), now.GetValueOrDefault(name)) is { } change)
            {
                weights.Add(change);
            }
        }

        return new(
            ModelSide.Of(before, beforeFile), ModelSide.Of(after, afterFile), CompareNodes(before, after), CompareOperators(before, after), weights,
            old.Keys.Count(now.ContainsKey) - weights.Count(w => w.Change == ChangeKind.Changed), CompareSignatures(before, after));
    }

    private static List<NodeChange> CompareNodes(Model before, Model after)
    {
        var old = ModelWeights.NodesOf(before).ToDictionary(n => n.Name, n => n.Node, StringComparer.Ordinal);
        var changes = new List<NodeChange>();
        foreach (var (name, node) in ModelWeights.NodesOf(after))
        {
            if (!old.Remove(name, out var was))
            {
                changes.Add(new(ChangeKind.Added, name, OperatorOf(node), []));
            }
            else if (NodeComparison.Between(was, node) is { Count: > 0 } details)
            {
                changes.Add(new(ChangeKind.Changed, name, OperatorOf(node), details));
            }
        }

        changes.AddRange(old.Select(n => new NodeChange(ChangeKind.Removed, n.Key, OperatorOf(n.Value), [])));
        return [.. changes.OrderBy(c => c.Name, StringComparer.Ordinal)];
    }

    private static List<OperatorChange> CompareOperators(Model before, Model after)
    {
        var old = before.AllNodes.CountBy(OperatorOf).ToDictionary(StringComparer.Ordinal);
        var now = after.AllNodes.CountBy(OperatorOf).ToDictionary(StringComparer.Ordinal);
        return [.. old.Keys.Union(now.Keys).Order(StringComparer.Ordinal)
            .Select(o => new OperatorChange(o, old.GetValueOrDefault(o), now.GetValueOrDefault(o))).Where(o => o.Before != o.After)];
    }

    private static List<SignatureChange> CompareSignatures(Model before, Model after)
    {
        var old = Signatures(before);
        var now = Signatures(after);
        return [.. old.Keys.Union(now.Keys).Select(k => new SignatureChange(k.Kind, k.Name, old.GetValueOrDefault(k), now.GetValueOrDefault(k)))
            .Where(c => c.Before != c.After)];
    }

    private static Dictionary<(string Kind, string Name), string> Signatures(Model model) =>
        model.Graph.Inputs.Where(i => i.Initializer is null).Select(i => (Key: ("input", i.Name), Value: i))
            .Concat(model.Graph.Outputs.Select(o => (Key: ("output", o.Name), Value: o)))
            .DistinctBy(p => p.Key).ToDictionary(p => p.Key, p => p.Value.Type?.ToString() ?? "?");

    private static string OperatorOf(Node node) => node.Domain.Length > 0 ? $"{node.Domain}.{node.OpType}" : node.OpType;
}

/// <summary>One of the two models.</summary>
internal sealed record ModelSide(string File, long Bytes, int Nodes, long Parameters, long WeightBytes)
{
    public static ModelSide Of(Model model, string file)
    {
        var summary = ModelSummary.Of(model, file);
        return new(file, summary.Bytes, summary.Nodes, summary.Parameters, summary.Weights.Sum(w => w.Bytes));
    }
}

/// <summary>What happened to a part.</summary>
internal enum ChangeKind
{
    Added,
    Removed,
    Changed,
}

/// <summary>A node that differs; the details say how it changed.</summary>
internal sealed record NodeChange(ChangeKind Change, string Name, string Operator, IReadOnlyList<string> Details);

/// <summary>An operator that occurs more or less often.</summary>
internal sealed record OperatorChange(string Operator, int Before, int After);

/// <summary>An input or output that differs; null where it is missing.</summary>
internal sealed record SignatureChange(string Kind, string Name, string? Before, string? After);
