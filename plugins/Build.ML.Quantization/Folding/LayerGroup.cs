using System.Collections.Immutable;
using Build.ML.Calibration.Layers;
using Build.ML.Graph.Ir;

namespace Build.ML.Quantization.Folding;

/// <summary>Linear layers that multiply one activation (queries, keys and values; gate and up) and therefore share the scales of its channels.</summary>
/// <param name="Activation">What they multiply.</param>
/// <param name="Layers">The layers.</param>
/// <param name="Channels">Its channels: the last dimension, or the second for Conv.</param>
internal sealed record LayerGroup(Value Activation, ImmutableArray<WeightLayer> Layers, int Channels)
{
    /// <summary>Dimensions of the activation after its channels.</summary>
    public int Inner => Layers[0].OpType == "Conv" ? Layers[0].Tensor.Rank - 2 : 0;

    /// <summary>How reports name the group: by its first layer.</summary>
    public string Name => Layers[0].Name;

    /// <summary>The groups of some layers, in the order of their first nodes; look-ups have no activation and form none. Layers of different graphs are different groups.</summary>
    public static ImmutableArray<LayerGroup> Of(IEnumerable<WeightLayer> layers) =>
    [
        .. layers.Where(l => l.Activation is not null).GroupBy(l => (l.Activation!, l.Node.Graph, l.OpType == "Conv"))
            .Select(g => new LayerGroup(g.Key.Item1, [.. g], ChannelsOf(g.First()))),
    ];

    /// <summary>Why no scale can go into the weights of the group, or null.</summary>
    public string? Obstacle()
    {
        foreach (var layer in Layers)
        {
            if (layer.Groups > 1)
            {
                return $"{layer.Name} is a grouped convolution";
            }

            if (layer.Readers.Length > 1 || layer.Weight.Uses.Count > 1 || layer.Weight.IsGraphOutput)
            {
                return $"the weight '{layer.Weight.Name}' is used in several places";
            }

            if (ChannelsOf(layer) != Channels)
            {
                return $"{layer.Name} reads {ChannelsOf(layer)} channels, {Name} {Channels}";
            }
        }

        return null;
    }

    /// <summary>Multiplies what each layer takes from a channel.</summary>
    /// <param name="scales">One a channel.</param>
    public void Multiply(float[] scales)
    {
        foreach (var layer in Layers)
        {
            var grid = ChannelGrid.Channels(Channels, layer.OpType == "Conv" ? layer.Tensor.Rank - 2 : layer.IsTransposed ? 1 : 0);
            ConstantEdit.Replace(layer.Weight, ScaledTensor.Of(layer.Weight.Constant!, grid, scales));
        }
    }

    private static int ChannelsOf(WeightLayer layer) => layer.OpType == "Conv" ? (int)layer.Tensor.Sizes[1] : layer.Columns;
}
