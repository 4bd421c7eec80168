using System.Text.RegularExpressions;
using Build.ML.Graph;
using Build.ML.Graph.Ir;

namespace Build.ML.Engine.Inspection;

/// <summary>
/// Says which kernel of the runtime computes a node of a model, fused ones included, by looking its name and its outputs up in the graph as the runtime optimized it.
/// Where both have vanished into a fusion, the next node that reads the output alone tells.
/// </summary>
internal sealed partial class KernelMap
{
    // What the runtime puts around a kernel to change layout or type is not the kernel.
    private static readonly HashSet<string> Wrappings = ["ReorderInput", "ReorderOutput", "Transpose", "Cast", "Reshape", "Squeeze", "Unsqueeze"];

    private const string Runtime = "com.microsoft";

    private readonly Dictionary<string, Node> _byName = [];
    private readonly Dictionary<string, Node> _byOutput = [];

    /// <summary>Indexes a graph.</summary>
    /// <param name="optimized">What the runtime made of the model.</param>
    public KernelMap(Model optimized)
    {
        foreach (var node in optimized.AllNodes)
        {
            _byName.TryAdd(Stem(node.Name), node);
            foreach (var output in node.Outputs)
            {
                _byOutput.TryAdd(Stem(output.Name), node);
            }
        }
    }

    /// <summary>The kernel's operator, with the domain of layouts and the like (<c>nchwc.Conv</c>); empty where the runtime computes the node beforehand or drops it.</summary>
    /// <param name="node">A node of the model that was optimized.</param>
    public string Of(Node node)
    {
        // A value with several readers is never swallowed: what stands behind them is theirs. Fusions are short.
        var current = node;
        for (var depth = 0; depth < 6; depth++)
        {
            if (Find(current) is { } kernel)
            {
                return Name(Unwrapped(kernel, current));
            }

            if (current.Outputs is not [{ Uses: [var use] }])
            {
                break;
            }

            current = use.Node;
        }

        return "";
    }

    private Node? Find(Node node)
    {
        if (_byName.TryGetValue(node.Name, out var kernel) && node.Name.Length > 0)
        {
            return kernel;
        }

        foreach (var output in node.Outputs)
        {
            // The layout transformations name a kernel after the value that it yields.
            if (_byOutput.TryGetValue(output.Name, out kernel) || _byName.TryGetValue(output.Name, out kernel))
            {
                return kernel;
            }
        }

        return null;
    }

    private static Node Unwrapped(Node kernel, Node original)
    {
        while (Wrappings.Contains(kernel.OpType) && kernel.OpType != original.OpType && kernel.Input(0)?.Producer is { } before)
        {
            kernel = before;
        }

        return kernel;
    }

    private static string Name(Node kernel) =>
        kernel.Domain.Length == 0 || kernel.Domain == Runtime ? kernel.OpType
        : $"{(kernel.Domain.StartsWith(Runtime + ".", StringComparison.Ordinal) ? kernel.Domain[(Runtime.Length + 1)..] : kernel.Domain)}.{kernel.OpType}";

    // The runtime makes names unique with _token_N, and marks those of its blocked layout.
    private static string Stem(string name) => Marks().Replace(name, "");

    [GeneratedRegex(@"(_nchwc|_nhwc)?(_token_\d+)?$")]
    private static partial Regex Marks();
}
