using Build.ML.Graph;
using Build.ML.Graph.Ir;

namespace Build.ML.Cli.Models;

/// <summary>What a model is made of.</summary>
/// <param name="File">Full path.</param>
/// <param name="Bytes">Bytes of the file and its external data.</param>
/// <param name="IrVersion">IR version of the format.</param>
/// <param name="Producer">Name and version of the tool that made it.</param>
/// <param name="OperatorSets">Imported operator sets; the empty domain is ONNX's own.</param>
/// <param name="Inputs">Inputs that a caller feeds.</param>
/// <param name="Outputs">Outputs.</param>
/// <param name="Nodes">Number of nodes, those of subgraphs included.</param>
/// <param name="Operators">How often each operator occurs, the most frequent first.</param>
/// <param name="Parameters">Elements of all weights but int64, int32, bool and string ones, which are shapes, indices and the like; as the metric of that name counts.</param>
/// <param name="Weights">Weights by element type, the most bytes first.</param>
/// <param name="Largest">The ten largest weights.</param>
/// <param name="Functions">Functions local to the model.</param>
/// <param name="Metadata">Metadata in file order.</param>
internal sealed record ModelSummary(
    string File, long Bytes, long IrVersion, string Producer, IReadOnlyList<OperatorSet> OperatorSets,
    IReadOnlyList<Signature> Inputs, IReadOnlyList<Signature> Outputs, int Nodes, IReadOnlyList<OperatorCount> Operators,
    long Parameters, IReadOnlyList<TypeCount> Weights, IReadOnlyList<WeightSize> Largest,
    IReadOnlyList<string> Functions, IReadOnlyList<KeyValuePair<string, string>> Metadata)
{
    private const int LargestCount = 10;

    /// <summary>Summarizes a model.</summary>
    /// <param name="model">The model; its weights are not read.</param>
    /// <param name="file">Full path of its file.</param>
    public static ModelSummary Of(Model model, string file)
    {
        var weights = ModelWeights.Of(model).ToList();
        return new(
            file,
            model.Files.Sum(f => new FileInfo(f).Length),
            model.IrVersion,
            $"{model.ProducerName} {model.ProducerVersion}".Trim(),
            [.. model.OperatorSets.Select(o => new OperatorSet(o.Key, o.Value))],
            [.. model.Graph.Inputs.Where(i => i.Initializer is null).Select(Signature.Of)],
            [.. model.Graph.Outputs.Select(Signature.Of)],
            model.AllNodes.Count(),
            [.. model.AllNodes.CountBy(n => (n.Domain, n.OpType)).Select(c => new OperatorCount(c.Key.Domain, c.Key.OpType, c.Value))
                .OrderByDescending(c => c.Count).ThenBy(c => c.Operator, StringComparer.Ordinal).ThenBy(c => c.Domain, StringComparer.Ordinal)],
            weights.Where(w => w.Tensor.Type is not (DataType.Int64 or DataType.Int32 or DataType.Bool or DataType.String)).Sum(w => w.Tensor.Count),
            [.. weights.GroupBy(w => w.Tensor.Type)
                .Select(g => new TypeCount(g.Key.OnnxName(), g.Count(), g.Sum(w => w.Tensor.Count), g.Sum(w => w.Tensor.ByteLength)))
                .OrderByDescending(t => t.Bytes).ThenBy(t => t.Type, StringComparer.Ordinal)],
            [.. weights.OrderByDescending(w => w.Tensor.ByteLength).ThenBy(w => w.Name, StringComparer.Ordinal).Take(LargestCount)
                .Select(w => new WeightSize(w.Name, w.Tensor.ToString(), w.Tensor.ByteLength))],
            [.. model.Functions.Select(f => f.Domain.Length > 0 ? $"{f.Domain}.{f.Name}" : f.Name)],
            [.. model.Metadata]);
    }
}

/// <summary>An imported operator set.</summary>
internal sealed record OperatorSet(string Domain, long Version);

/// <summary>An input or output; the type as ONNX writes it, such as <c>float[batch,3,48,?]</c>.</summary>
internal sealed record Signature(string Name, string Type)
{
    public static Signature Of(Value value) => new(value.Name, value.Type?.ToString() ?? "?");
}

/// <summary>How often an operator occurs.</summary>
internal sealed record OperatorCount(string Domain, string Operator, int Count);

/// <summary>Weights of one element type.</summary>
internal sealed record TypeCount(string Type, int Tensors, long Elements, long Bytes);

/// <summary>One weight; the type with its shape.</summary>
internal sealed record WeightSize(string Name, string Type, long Bytes);
