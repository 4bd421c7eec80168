using Build.ML.Graph.Ir;

namespace Build.ML.Autodiff;

/// <summary>
/// Marks nodes whose gradient is not their operator's, in the node's metadata, so that a forward model can say it: fake quantization rounds forward and lets gradients through backward
/// (the straight-through estimator, Bengio, Léonard and Courville 2013).
/// </summary>
public static class GradientFlow
{
    private const string Key = "buildml.gradient";
    private const string Straight = "straight_through";
    private const string Stopped = "stop";

    /// <summary>The gradient of output 0 is handed to input 0 as it is.</summary>
    /// <param name="node">A node whose output 0 has the sizes of its input 0.</param>
    /// <returns>The node.</returns>
    public static Node PassStraightThrough(this Node node) => Mark(node, Straight);

    /// <summary>No gradient passes the node.</summary>
    /// <param name="node">Any node.</param>
    /// <returns>The node.</returns>
    public static Node StopGradient(this Node node) => Mark(node, Stopped);

    internal static GradientRule? RuleOf(Node node)
    {
        foreach (var (key, value) in node.Metadata)
        {
            if (key == Key)
            {
                return value == Straight ? static (_, gradient, _) => [gradient] : static (_, _, _) => [];
            }
        }

        return null;
    }

    /// <summary>Whether a node is marked with <see cref="PassStraightThrough"/>.</summary>
    internal static bool IsStraightThrough(Node node) => node.Metadata.Any(m => m is { Key: Key, Value: Straight });

    private static Node Mark(Node node, string value)
    {
        ArgumentNullException.ThrowIfNull(node);
        node.Metadata.Add(KeyValuePair.Create(Key, value));
        return node;
    }
}
