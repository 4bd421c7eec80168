using Build.ML.Calibration.Layers;
using Build.ML.LowRank.Layers;

namespace Build.ML.LowRank.Tucker;

/// <summary>Puts three convolutions in the place of one. The first has no bias, so that zeros of the padding stay zeros.</summary>
internal static class TuckerEdit
{
    /// <summary>Edits the graph; the layer's weight goes away.</summary>
    public static void Apply(WeightLayer layer, TuckerDecomposition tucker)
    {
        var graph = layer.Weight.Graph;
        var (inputs, ones) = (layer.Tensor.Sizes[1], Enumerable.Repeat(1L, layer.Tensor.Rank - 2).ToArray());
        var down = graph.AddInitializer(layer.Weight.Name + ".down", FactorEdit.Of(layer, FactorEdit.Rows(tucker.Inputs), [tucker.Inputs.Rows, inputs, .. ones]));
        var core = graph.AddInitializer(
            layer.Weight.Name + ".core", FactorEdit.Of(layer, FactorEdit.Rows(tucker.Core), [tucker.Outputs.Rows, tucker.Inputs.Rows, .. layer.Tensor.Sizes[2..]]));
        var up = graph.AddInitializer(layer.Weight.Name + ".up", FactorEdit.Of(layer, FactorEdit.Columns(tucker.Outputs), [layer.Rows, tucker.Outputs.Rows, .. ones]));
        foreach (var (node, _) in layer.Readers)
        {
            var weight = node.Input(1);
            var narrow = node.Graph.Add("Conv", [node.Input(0), down], layer.Name + "_down", before: node);
            var hidden = node.Graph.Add("Conv", [narrow, core], layer.Name + "_core", [.. node.Attributes], before: node);
            node.SetInput(0, hidden);
            node.SetInput(1, up);
            FactorEdit.MakePointwise(node, [.. ones]);
            ConstantSource.RemoveIfUnused(weight);
        }
    }
}
