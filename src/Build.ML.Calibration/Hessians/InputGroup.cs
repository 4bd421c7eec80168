using System.Collections.Immutable;
using Build.ML.Calibration.Layers;
using Build.ML.Graph;
using Build.ML.Graph.Ir;

namespace Build.ML.Calibration.Hessians;

/// <summary>A layer with its place in the report.</summary>
/// <param name="Index">Among all layers found, from 0.</param>
/// <param name="Layer">The layer.</param>
public readonly record struct NumberedLayer(int Index, WeightLayer Layer);

/// <summary>Layers that multiply the same inputs, so that one Hessian serves all of them: products of one activation; convolutions of one activation with one geometry.</summary>
/// <param name="Activation">What they read.</param>
/// <param name="First">The first of their nodes in the order of execution.</param>
/// <param name="Layers">The layers.</param>
public sealed record InputGroup(Value Activation, Node First, ImmutableArray<NumberedLayer> Layers)
{
    /// <summary>Length of an input.</summary>
    public int Columns => Layers[0].Layer.Columns;

    /// <summary>Hessians of the group: one, or one for each group of a convolution's channels.</summary>
    public int Hessians => Layers[0].Layer.Groups;

    /// <summary>A convolution that stands for all of them, or null for products.</summary>
    public Node? Convolution => First.OpType == "Conv" ? First : null;

    /// <summary>Groups in the order of execution, and the layers that calibration does not reach, each with the reason.</summary>
    public static (ImmutableArray<InputGroup> Groups, ImmutableArray<(NumberedLayer Layer, string Reason)> Unreached) Of(Model model, IEnumerable<NumberedLayer> layers)
    {
        var order = new Dictionary<Node, int>();
        var ofData = model.Graph.Inputs.Where(i => i.Initializer is null).ToHashSet();
        foreach (var node in model.Graph.Nodes)
        {
            order.Add(node, order.Count);
            if (node.Reads().Any(ofData.Contains))
            {
                ofData.UnionWith(node.Outputs);
            }
        }

        var groups = new Dictionary<(Value, string), List<NumberedLayer>>();
        var unreached = ImmutableArray.CreateBuilder<(NumberedLayer, string)>();
        foreach (var layer in layers)
        {
            var node = layer.Layer.Node;
            var reason = layer.Layer.Activation is not { } activation ? "a look-up multiplies nothing"
                : !order.ContainsKey(node) ? "calibration does not look into subgraphs"
                : !ofData.Contains(activation) ? "what it multiplies does not depend on the data"
                : node.OpType == "Conv" && !Im2Col.Supports(node) ? "calibration knows convolutions of one and two dimensions with plain weights"
                : null;
            if (reason is not null)
            {
                unreached.Add((layer, reason));
                continue;
            }

            var key = (layer.Layer.Activation!, node.OpType == "Conv" ? Geometry(node) : "product");
            if (!groups.TryGetValue(key, out var members))
            {
                groups.Add(key, members = []);
            }

            members.Add(layer);
        }

        return (
            [
                .. groups.Select(g => new InputGroup(g.Key.Item1, g.Value.MinBy(l => order[l.Layer.Node]).Layer.Node, [.. g.Value])).OrderBy(g => order[g.First]),
            ],
            unreached.ToImmutable());
    }

    /// <summary>All that decides which inputs a convolution multiplies.</summary>
    public static string Geometry(Node conv) => string.Join(
        ' ',
        conv.Attributes.Where(a => a.Name is "auto_pad" or "dilations" or "group" or "pads" or "strides").OrderBy(a => a.Name, StringComparer.Ordinal)
            .Select(a => $"{a.Name}={(a.Value is ImmutableArray<long> numbers ? string.Join(',', numbers) : a.Value)}")
            .Append("kernel=" + string.Join(',', conv.Inputs[1]!.Constant!.Sizes.Skip(1))));
}
