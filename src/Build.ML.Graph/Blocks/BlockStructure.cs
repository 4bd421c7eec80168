using System.Collections.Immutable;
using System.Globalization;
using System.Text;
using Build.ML.Graph.Ir;

namespace Build.ML.Graph.Blocks;

/// <summary>Writes down what a block is but for the content of its weights and the names in it.</summary>
internal static class BlockStructure
{
    public static string Of(Value input, IReadOnlyList<Node> nodes)
    {
        var numbers = new Dictionary<Value, string> { [input] = "in" };
        var text = new StringBuilder();
        for (var i = 0; i < nodes.Count; i++)
        {
            var node = nodes[i];
            text.Append(node.Domain).Append(':').Append(node.OpType);
            foreach (var attribute in node.Attributes.OrderBy(a => a.Name, StringComparer.Ordinal))
            {
                text.Append(' ').Append(attribute.Name).Append('=').Append(Of(attribute));
            }

            foreach (var value in node.Inputs)
            {
                text.Append(' ').Append(value is null ? "-" : numbers.GetValueOrDefault(value) ?? (value.Constant is { } constant ? constant.ToString() : "outer"));
            }

            for (var o = 0; o < node.Outputs.Count; o++)
            {
                numbers[node.Outputs[o]] = $"{i}.{o}";
            }

            text.Append('\n');
        }

        return text.ToString();
    }

    private static string Of(NodeAttribute attribute) => attribute.Value switch
    {
        long number => number.ToString(CultureInfo.InvariantCulture),
        float number => number.ToString("R", CultureInfo.InvariantCulture),
        ImmutableArray<long> numbers => string.Join(',', numbers),
        ImmutableArray<float> numbers => string.Join(',', numbers.Select(n => n.ToString("R", CultureInfo.InvariantCulture))),
        ReadOnlyMemory<byte> bytes => Convert.ToHexString(bytes.Span),
        _ => string.Join(',', attribute.Subgraphs.SelectMany(g => g.AllNodes).Select(n => n.OpType)),
    };
}
