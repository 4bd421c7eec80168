using System.Collections.Immutable;
using System.Text.Json;

namespace Build.ML.OnnxRuntime;

/// <summary>How long one node's kernel took.</summary>
/// <param name="Name">Node name in the graph as the runtime optimized it.</param>
/// <param name="OpType">Operator, also one the runtime fused to, such as <c>FusedConv</c> or <c>DynamicQuantizeMatMul</c>.</param>
/// <param name="Seconds">Time of one run, the median over the runs measured.</param>
public readonly record struct NodeTiming(string Name, string OpType, double Seconds);

/// <summary>Which kernels ran for a model and for how long, in the order they ran.</summary>
/// <param name="Nodes">One for each node of the optimized graph; nodes of subgraphs too.</param>
public sealed record RunProfile(ImmutableArray<NodeTiming> Nodes)
{
    /// <summary>Reads the runtime's profile: Chrome trace events, of which those of category Node named <c>…_kernel_time</c> count.</summary>
    internal static RunProfile Read(string path)
    {
        using var stream = File.OpenRead(path);
        using var document = JsonDocument.Parse(stream);
        var order = new List<(string Name, string OpType)>();
        var times = new Dictionary<(string, string), List<double>>();
        foreach (var entry in document.RootElement.EnumerateArray())
        {
            const string suffix = "_kernel_time";
            if (entry.GetProperty("cat").GetString() != "Node" || entry.GetProperty("name").GetString() is not { } name
                || !name.EndsWith(suffix, StringComparison.Ordinal))
            {
                continue;
            }

            var key = (name[..^suffix.Length], entry.GetProperty("args").GetProperty("op_name").GetString() ?? "");
            if (!times.TryGetValue(key, out var list))
            {
                order.Add(key);
                times[key] = list = [];
            }

            list.Add(entry.GetProperty("dur").GetDouble() * 1e-6);
        }

        return new([.. order.Select(key => new NodeTiming(key.Name, key.OpType, MedianWithoutFirst(times[key])))]);
    }

    private static double MedianWithoutFirst(List<double> seconds)
    {
        var measured = seconds.Count > 1 ? seconds[1..] : seconds;
        measured.Sort();
        return measured[measured.Count / 2];
    }
}
