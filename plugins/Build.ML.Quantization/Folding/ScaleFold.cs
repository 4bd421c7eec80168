using Build.ML.Calibration.Layers;
using Build.ML.Graph;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Shapes;
using Build.ML.Graph.Tensors;

namespace Build.ML.Quantization.Folding;

/// <summary>
/// Where the scales of a group of layers go: W·x = (W·diag(s))·(x/s), and x/s comes from constants of the nodes that make x, at no cost at run time; or, where that
/// cannot be and the user agrees, from a product put before the group.
/// </summary>
internal sealed class ScaleFold
{
    private readonly LayerGroup _group;
    private readonly FoldWalk? _walk;

    private ScaleFold(LayerGroup group, FoldWalk? walk, string reason, bool inserts)
    {
        (_group, _walk, Reason, IsInserted) = (group, walk, reason, inserts);
        Ties = walk?.Ties ?? new ChannelTies(group.Channels);
    }

    /// <summary>Why the scales cannot go into constants; empty when they can.</summary>
    public string Reason { get; }

    /// <summary>Whether a product is put before the group.</summary>
    public bool IsInserted { get; }

    /// <summary>Whether the group can be scaled at all.</summary>
    public bool IsPossible => _walk is not null || IsInserted;

    /// <summary>Channels that must share a scale.</summary>
    public ChannelTies Ties { get; }

    /// <summary>The constants that take the scales.</summary>
    public IReadOnlyList<Absorption> Absorptions => _walk?.Absorptions ?? [];

    /// <summary>Names what takes the scales, for the report.</summary>
    public string Target => IsInserted ? "a product inserted before"
        : string.Join(", ", Absorptions.Select(a => a.Node.Inputs[a.Input]!.Name).Distinct().Take(3));

    /// <summary>
    /// Finds out. Types must have been inferred (<see cref="ShapeInference"/>); nothing is changed.
    /// </summary>
    /// <param name="group">The layers.</param>
    /// <param name="rules">See <see cref="FoldWalk.AllRules"/>.</param>
    /// <param name="mayInsert">Whether to put a product before the group where its scales fit nowhere else.</param>
    public static ScaleFold Find(LayerGroup group, IReadOnlyDictionary<(string Domain, string OpType), FoldRule> rules, bool mayInsert)
    {
        if (group.Obstacle() is { } obstacle)
        {
            return new(group, null, obstacle, false);
        }

        var walk = new FoldWalk(rules, group.Channels);
        var readers = group.Layers.Select(l => l.Node).ToHashSet();
        var other = group.Activation.Uses.FirstOrDefault(u => !(readers.Contains(u.Node) && u.Index == 0) && !u.Node.Is("Shape"));
        var reason = other.Node is { } node
            ? $"'{group.Activation.Name}' is read by {node.DisplayName} too"
            : walk.Through(group.Activation, ChannelGrid.Channels(group.Channels, group.Inner));
        return reason is null ? new(group, walk, "", false) : new(group, null, reason, mayInsert);
    }

    /// <summary>Scales the group and what makes its input. The model computes the same function.</summary>
    /// <param name="scales">One a channel, above 0, equal where channels are tied.</param>
    public void Apply(float[] scales)
    {
        var inverses = Array.ConvertAll(scales, s => 1 / s);
        if (_walk is not null)
        {
            foreach (var (node, input, grid) in _walk.Absorptions)
            {
                ConstantEdit.ReplaceFor(node, input, ScaledTensor.Of(node.Inputs[input]!.Constant!, grid, inverses));
            }
        }
        else if (IsInserted)
        {
            Insert(inverses);
        }
        else
        {
            throw new InvalidOperationException($"The scales of {_group.Name} fit nowhere: {Reason}.");
        }

        _group.Multiply(scales);
    }

    private void Insert(float[] inverses)
    {
        var node = _group.Layers[0].Node;
        var graph = node.Graph;
        long[] sizes = [inverses.Length, .. Enumerable.Repeat(1L, _group.Inner)];
        var type = _group.Layers[0].ComputeType;
        var bytes = new byte[inverses.Length * type.BitWidth() / 8];
        FloatElements.Write(type, inverses, bytes);
        var factors = graph.AddInitializer(_group.Activation.Name + "_inverse_scales", Tensor.OfBytes(type, bytes, sizes));
        var scaled = graph.Add("Mul", [_group.Activation, factors], _group.Activation.Name + "_scaled", before: FirstOf(graph, _group.Layers.Select(l => l.Node)));
        scaled.Type = _group.Activation.Type;
        foreach (var layer in _group.Layers)
        {
            layer.Node.SetInput(0, scaled);
        }
    }

    private static Node FirstOf(OnnxGraph graph, IEnumerable<Node> nodes)
    {
        var set = nodes.ToHashSet();
        return graph.Nodes.First(set.Contains);
    }
}
