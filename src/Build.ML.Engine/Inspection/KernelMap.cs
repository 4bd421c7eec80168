using Build.ML.Graph;
using Build.ML.Graph.Ir;

namespace Build.ML.Engine.Inspection;

/// <summary>
/// Says which kernel of the runtime computes a node of a model, fused ones included, by looking its output up in the graph as the runtime optimized it. Where the
/// output has vanished into a fusion, the next value computed from it that is still there tells.
/// </summary>
/// <param name="optimized">What the runtime made of the model.</param>
internal sealed class KernelMap(Model optimized)
{
    // What the runtime puts around a kernel to change layout or type is not the kernel.
    private static readonly HashSet<string> Wrappings = ["ReorderInput", "ReorderOutput", "Transpose", "Cast", "Reshape", "Squeeze", "Unsqueeze"];

    private readonly Dictionary<string, Node> _producers = Producers(optimized);

    /// <summary>The kernel's operator, with its domain where it is not ONNX's own; empty where the runtime computes the node beforehand or drops it.</summary>
    /// <param name="node">A node of the model that was optimized.</param>
    public string Of(Node node)
    {
        var pending = new Queue<Node>([node]);
        var seen = new HashSet<Node>(pending, ReferenceEqualityComparer.Instance);
        while (pending.TryDequeue(out var current))
        {
            foreach (var output in current.Outputs)
            {
                if (_producers.TryGetValue(output.Name, out var kernel))
                {
                    return Name(Unwrapped(kernel, current));
                }
            }

            // A value with several readers is never swallowed: what stands behind them is theirs.
            if (current.Outputs is [{ Uses: [var use] }] && seen.Add(use.Node))
            {
                pending.Enqueue(use.Node);
            }
        }

        return "";
    }

    private static Node Unwrapped(Node kernel, Node original)
    {
        while (Wrappings.Contains(kernel.OpType) && kernel.OpType != original.OpType && kernel.Input(0)?.Producer is { } before)
        {
            kernel = before;
        }

        return kernel;
    }

    private static string Name(Node kernel) => kernel.Domain.Length == 0 ? kernel.OpType : $"{kernel.Domain}.{kernel.OpType}";

    private static Dictionary<string, Node> Producers(Model model)
    {
        var producers = new Dictionary<string, Node>();
        foreach (var node in model.AllNodes)
        {
            foreach (var output in node.Outputs)
            {
                producers.TryAdd(output.Name, node);
            }
        }

        return producers;
    }
}
