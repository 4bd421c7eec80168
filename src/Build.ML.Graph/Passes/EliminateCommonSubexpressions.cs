using System.Collections.Immutable;
using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;

namespace Build.ML.Graph.Passes;

/// <summary>Lets nodes of one graph with the same operator, attributes and inputs be one. Random operators and nodes with subgraphs are left.</summary>
[GraphPass("eliminate-common-subexpressions", Order = 400)]
public sealed class EliminateCommonSubexpressions : IGraphPass
{
    /// <inheritdoc/>
    public int Run(Model model)
    {
        ArgumentNullException.ThrowIfNull(model);
        return model.Graphs().Sum(Eliminate);
    }

    private static int Eliminate(OnnxGraph graph)
    {
        var removed = 0;
        var seen = new Dictionary<string, Node>(StringComparer.Ordinal);
        foreach (var node in graph.Nodes)
        {
            if (KeyOf(node) is not { } key)
            {
                continue;
            }

            if (!seen.TryGetValue(key, out var first))
            {
                seen.Add(key, node);
            }
            else if (node.Outputs.Count <= first.Outputs.Count && node.Outputs.All(o => !o.IsGraphOutput)
                && node.Outputs.Zip(first.Outputs).All(p => p.First.Name.Length == 0 || p.Second.Name.Length > 0))
            {
                for (var i = 0; i < node.Outputs.Count; i++)
                {
                    node.Outputs[i].ReplaceUsesWith(first.Outputs[i]);
                }

                graph.Remove(node);
                removed++;
            }
        }

        return removed;
    }

    private static string? KeyOf(Node node)
    {
        if (node.OpType.StartsWith("Random", StringComparison.Ordinal) || node.OpType is "Bernoulli" or "Multinomial" or "Dropout"
            || node.Domain is not ("" or "com.microsoft" or "ai.onnx.ml"))
        {
            return null;
        }

        var key = new StringBuilder(node.Domain).Append('.').Append(node.OpType);
        foreach (var input in node.Inputs)
        {
            key.Append('|').Append(RuntimeHelpers.GetHashCode(input?.Graph)).Append(':').Append(input?.Name);
        }

        foreach (var attribute in node.Attributes.OrderBy(a => a.Name, StringComparer.Ordinal))
        {
            if (TextOf(attribute) is not { } text)
            {
                return null;
            }

            key.Append('|').Append(attribute.Name).Append('=').Append(text);
        }

        return key.ToString();
    }

    private static string? TextOf(NodeAttribute attribute) => attribute.Value switch
    {
        long value => value.ToString(CultureInfo.InvariantCulture),
        float value => BitConverter.SingleToInt32Bits(value).ToString("x8", CultureInfo.InvariantCulture),
        ReadOnlyMemory<byte> value => Convert.ToHexString(value.Span),
        ImmutableArray<long> values => string.Join(',', values),
        ImmutableArray<float> values => string.Join(',', values.Select(BitConverter.SingleToInt32Bits)),
        Tensor { Count: <= 64, Type: not DataType.String } tensor => tensor + Convert.ToHexString(tensor.ToArray<byte>()),
        _ => null,
    };
}
