using Build.ML.Graph.Ir;

namespace Build.ML.Quantization;

/// <summary>How reports name a layer.</summary>
internal static class LayerNames
{
    /// <summary>The node's name, or its first output's where it has none.</summary>
    public static string Of(Node node) => node.Name.Length > 0 ? node.Name : node.Outputs[0].Name;
}
