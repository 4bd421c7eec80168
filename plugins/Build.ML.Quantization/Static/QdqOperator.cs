using System.Collections.Immutable;
using Build.ML.Graph.Catalogs;
using Build.ML.Graph.Ir;

namespace Build.ML.Quantization.Static;

/// <summary>What becomes of an operator's output in the QDQ format.</summary>
internal enum QdqOutput
{
    /// <summary>The integer kernel yields integers: the output gets its own range.</summary>
    Quantized,

    /// <summary>The integer kernel can yield real numbers too: the output is quantized only for readers that take integers.</summary>
    QuantizedForReaders,

    /// <summary>The operator only moves integers: the output has the parameters of the input.</summary>
    SameAsInput,
}

/// <summary>
/// How ONNX Runtime's CPU kernels want one operator in the QDQ format: each quantized input behind QuantizeLinear + DequantizeLinear, so that the runtime fuses
/// DequantizeLinear → operator → QuantizeLinear into one integer kernel.
/// </summary>
/// <param name="Kernel">The fused kernel, for reports; null where the runtime has none, so that only the weight is stored as integers.</param>
/// <param name="Activations">Which inputs are activations.</param>
internal sealed record QdqForm(string? Kernel, ImmutableArray<int> Activations)
{
    /// <summary>Whether it is enough that one of the activations comes as integers: rounding the others costs no more than reading them does.</summary>
    public bool AnyActivation { get; init; }

    /// <summary>Whether inputs and output have one scale in common.</summary>
    public bool SharesScale { get; init; }

    /// <summary>For what moves values: whether it is written as taking the integers themselves, since the runtime does not see through pairs around it.</summary>
    public bool TakesIntegers { get; init; }

    /// <summary>Which input is a constant weight, or null: then the node is quantized only where its inputs come as integers already.</summary>
    public int? Weight { get; init; }

    /// <summary>Channel axis of the weight; null when its channels are not one axis (one scale for all then).</summary>
    public int? WeightAxis { get; init; }

    /// <summary>Which input is a constant bias [channels], stored as 32-bit integers under the product of the scales; null for none.</summary>
    public int? Bias { get; init; }

    /// <summary>What becomes of the output.</summary>
    public QdqOutput Output { get; init; }
}

/// <summary>What is known about one operator: the form a node takes, or the reason why it stays.</summary>
internal readonly record struct QdqChoice(QdqForm? Form, string Reason)
{
    /// <summary>The node can be quantized.</summary>
    public static implicit operator QdqChoice(QdqForm form) => new(form, "");

    /// <summary>The node stays as it is.</summary>
    public static implicit operator QdqChoice(string reason) => new(null, reason);
}

/// <summary>
/// Forms of a family of operators. A sealed class with <see cref="QdqOperatorsAttribute"/> that adds rules in its constructor adds one; no list is kept.
/// </summary>
internal abstract class QdqOperatorTable
{
    private readonly Dictionary<string, Func<Node, QdqChoice>> _rules = [];

    /// <summary>Rules by operator of ONNX's own set.</summary>
    public IReadOnlyDictionary<string, Func<Node, QdqChoice>> Rules => _rules;

    /// <summary>All rules of this assembly.</summary>
    public static Dictionary<string, Func<Node, QdqChoice>> All()
    {
        var all = new Dictionary<string, Func<Node, QdqChoice>>();
        foreach (var table in Catalog<QdqOperatorTable>.Scan(typeof(QdqOperatorTable).Assembly))
        {
            foreach (var (opType, rule) in table.Create().Rules)
            {
                all.Add(opType, rule);
            }
        }

        return all;
    }

    /// <summary>Adds the rule of one operator.</summary>
    protected void Rule(string opType, Func<Node, QdqChoice> rule) => _rules.Add(opType, rule);

    /// <summary>Adds the same rule for several operators.</summary>
    protected void Rule(ReadOnlySpan<string> opTypes, Func<Node, QdqChoice> rule)
    {
        foreach (var opType in opTypes)
        {
            Rule(opType, rule);
        }
    }
}

/// <summary>Puts a <see cref="QdqOperatorTable"/> into the catalog, under its class name.</summary>
internal sealed class QdqOperatorsAttribute() : CatalogAttribute(null)
{
    /// <inheritdoc/>
    public override Type EntryType => typeof(QdqOperatorTable);
}
