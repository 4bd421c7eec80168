using System.Collections.Immutable;
using Build.ML.Graph;
using Build.ML.Graph.Ir;

namespace Build.ML.Pruning.Experts;

/// <summary>Finds mixtures of experts in a graph, and says of those that look like one why they cannot be cut.</summary>
internal sealed class ExpertSearch
{
    private static readonly string[] Passing = ["Identity", "Cast", "Reshape", "Squeeze", "Unsqueeze", "Flatten", "Transpose"];

    private readonly List<ExpertConstant> _constants = [];
    private readonly List<Node> _shapes = [];
    private readonly HashSet<Node> _readers = [];

    private ExpertSearch()
    {
    }

    /// <summary>The mixtures of a model's main graph in order, each found or with the reason why not.</summary>
    /// <param name="model">Its constants are initializers.</param>
    public static IEnumerable<(Node Node, ExpertLayer? Layer, string Reason)> Find(Model model)
    {
        foreach (var node in model.Graph.Nodes)
        {
            if (node is { Domain: "com.microsoft", OpType: "MoE" })
            {
                yield return new ExpertSearch().OfMoe(node);
            }
            else if (node is { Domain: "", OpType: "TopK" } && new ExpertSearch().OfTopK(node) is var found && (found.Layer is not null || found.Reason.Length > 0))
            {
                yield return (node, found.Layer, found.Reason);
            }
        }
    }

    private (Node Node, ExpertLayer? Layer, string Reason) OfMoe(Node node)
    {
        _readers.Add(node);
        var experts = node.Input(2)?.Initializer?.Sizes[0] ?? 0;
        for (var i = 2; i < node.Inputs.Count; i++)
        {
            if (node.Inputs[i] is { } input)
            {
                if (input.Initializer is not { } tensor || tensor.Sizes[0] != experts)
                {
                    return (node, null, $"its input '{input.Name}' is no constant of {experts} experts");
                }

                _constants.Add(new(input, 0));
            }
        }

        var reason = Router(node.Inputs[1]!, experts) ?? Shared();
        return (node, reason is null ? Layer(node, node.Inputs[1]!, experts, node.Int("k", 1)) : null, reason ?? "");
    }

    // A TopK of anything but a router has neither a layer nor a reason.
    private (ExpertLayer? Layer, string Reason) OfTopK(Node node)
    {
        if (node.Input(1)?.Constant is not { Count: 1 } k || node.Int("largest", 1) == 0 || node.Int("axis", -1) is not -1 and not 1 and not 2)
        {
            return default;
        }

        var gathers = new List<Node>();
        var other = Indices(node.Outputs[1], gathers);
        if (gathers.Count == 0)
        {
            return default;
        }

        var experts = gathers[0].Inputs[0]!.Initializer!.Sizes[0];
        if (other is not null || gathers.Any(g => g.Inputs[0]!.Initializer!.Sizes[0] != experts))
        {
            return (null, $"the experts that it chooses are read by {other?.DisplayName ?? "constants of different numbers of experts"}");
        }

        _constants.AddRange(gathers.Select(g => g.Inputs[0]!).Distinct().Select(c => new ExpertConstant(c, 0)));
        _readers.UnionWith(gathers);
        _readers.Add(node);
        var reason = Router(node.Inputs[0]!, experts) ?? Shared();
        return reason is null ? (Layer(node, node.Inputs[0]!, experts, k.ToArray<long>()[0]), "") : (null, reason);
    }

    private ExpertLayer Layer(Node node, Value scores, long experts, long chosen) =>
        new(node, scores, (int)experts, (int)chosen, [.. _constants.DistinctBy(c => c.Value)], [.. _shapes]);

    // Which Gathers read constants by these indices; the first node that does anything else with them.
    private static Node? Indices(Value indices, List<Node> gathers)
    {
        Node? other = null;
        foreach (var (node, index) in indices.Uses)
        {
            if (node is { Domain: "", OpType: "Gather" } && index == 1 && node.Int("axis", 0) == 0 && node.Inputs[0]!.Initializer is not null)
            {
                gathers.Add(node);
            }
            else if (node.Domain.Length == 0 && index == 0 && Passing.Contains(node.OpType))
            {
                other = Indices(node.Outputs[0], gathers) ?? other;
            }
            else if (node is not { Domain: "", OpType: "GatherElements" })
            {
                other ??= node;
            }
        }

        return other;
    }

    // Up from the scores to the product that makes them, experts along the last axis all the way; why not, or null.
    private string? Router(Value scores, long experts)
    {
        for (var value = scores; ;)
        {
            if (value.Producer is not { Domain: "" } node || value.IsGraphOutput)
            {
                return $"the router's scores '{value.Name}' are an input or output of the model, or come from an operator that is not followed";
            }

            _readers.Add(node);
            if (value.Uses.FirstOrDefault(u => !_readers.Contains(u.Node) && u.Node is not { Domain: "", OpType: "GatherElements" }).Node is { } other)
            {
                return $"the router's scores '{value.Name}' are read by {other.DisplayName} too";
            }

            switch (node.OpType)
            {
                case "Softmax" or "LogSoftmax" or "Sigmoid" or "Identity" or "Cast" or "Tanh":
                    break;
                case "Reshape" when node.Inputs[1]!.Initializer is { } shape && shape.ToArray<long>() is [.., var last] && (last == -1 || last == experts):
                    if (last == experts)
                    {
                        _shapes.Add(node);
                    }

                    break;
                case "Add" or "Mul" or "Sub" or "Div" when Side(node, experts) is { } side:
                    value = node.Inputs[side]!;
                    continue;
                case "MatMul" when node.Inputs[1]!.Initializer is { Rank: 2 } weight && weight.Sizes[1] == experts:
                    _constants.Add(new(node.Inputs[1]!, 1));
                    return null;
                case "Gemm" when node.Inputs[1]!.Initializer is not null && (node.Input(2) is null or { Initializer: not null }):
                    _constants.Add(new(node.Inputs[1]!, node.Int("transB", 0) != 0 ? 0 : 1));
                    AddIfOfExperts(node.Input(2), experts);
                    return null;
                default:
                    return $"the router's scores come from {node.DisplayName}, which is not followed";
            }

            value = node.Inputs[0]!;
        }
    }

    // Which operand is the scores, where the other is a constant.
    private int? Side(Node node, long experts)
    {
        for (var side = 0; side < 2; side++)
        {
            if (node.Inputs[1 - side]!.Initializer is { } constant && (constant.Count == 1 || (constant.Sizes[^1] == experts && constant.Count == experts)))
            {
                AddIfOfExperts(node.Inputs[1 - side], experts);
                return side;
            }
        }

        return null;
    }

    private void AddIfOfExperts(Value? value, long experts)
    {
        if (value?.Initializer is { Rank: > 0 } tensor && tensor.Sizes[^1] == experts)
        {
            _constants.Add(new(value, tensor.Rank - 1));
        }
    }

    private string? Shared() => _constants
        .Select(c => (c.Value, Other: c.Value.Uses.FirstOrDefault(u => !_readers.Contains(u.Node)).Node))
        .Where(c => c.Other is not null || c.Value.IsGraphOutput)
        .Select(c => $"its constant '{c.Value.Name}' is read by {c.Other?.DisplayName ?? "the model's outputs"} too")
        .FirstOrDefault();
}
