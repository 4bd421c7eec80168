using System.Collections;
using System.Globalization;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;

namespace Build.ML.Cli.Models;

/// <summary>How a node differs from the one of the same name in another model.</summary>
internal static class NodeComparison
{
    /// <summary>What differs, a phrase each; empty when nothing does. Tensors of attributes are compared with the weights, subgraphs by their own nodes.</summary>
    public static IReadOnlyList<string> Between(Node before, Node after)
    {
        var details = new List<string>();
        Add("operator", $"{before.Domain}:{before.OpType}".TrimStart(':'), $"{after.Domain}:{after.OpType}".TrimStart(':'));
        Add("inputs", Names(before.Inputs), Names(after.Inputs));
        Add("outputs", Names(before.Outputs), Names(after.Outputs));
        foreach (var name in before.Attributes.Concat(after.Attributes).Select(a => a.Name).Distinct().Order(StringComparer.Ordinal))
        {
            Add(name, Text(before.Attribute(name)), Text(after.Attribute(name)));
        }

        return details;

        void Add(string what, string was, string now)
        {
            if (was != now)
            {
                details.Add($"{what}: {was} -> {now}");
            }
        }
    }

    private static string Names(IEnumerable<Value?> values) => string.Join(", ", values.Select(v => v is null ? "-" : v.Name));

    private static string Text(NodeAttribute? attribute) => attribute?.Value switch
    {
        null => "none",
        Tensor tensor => tensor.ToString(),
        OnnxGraph or IEnumerable<OnnxGraph> => "graph",
        string text => text,
        ReadOnlyMemory<byte> bytes => System.Text.Encoding.UTF8.GetString(bytes.Span),
        IEnumerable list => $"[{string.Join(", ", list.Cast<object>().Select(Scalar))}]",
        var value => Scalar(value),
    };

    private static string Scalar(object value) => value is ReadOnlyMemory<byte> bytes
        ? System.Text.Encoding.UTF8.GetString(bytes.Span)
        : Convert.ToString(value, CultureInfo.InvariantCulture) ?? "";
}
