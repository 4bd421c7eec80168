using Build.ML.Graph.Catalogs;
using Build.ML.Graph.Ir;

namespace Build.ML.Quantization.Rotation;

/// <summary>
/// Draws the conclusions for a node of which an input or output is rotated along its last dimension: other values to rotate, constants that take the rotation, or a reason why it cannot be.
/// Called again whenever another of the node's values turns out to be rotated.
/// </summary>
internal delegate void StreamRule(StreamWalk walk, Node node);

/// <summary>How rotations pass through one family of operators. A sealed class with <see cref="StreamRulesAttribute"/> is all it takes to add one.</summary>
internal abstract class StreamRuleTable
{
    /// <summary>Domain of ONNX Runtime's contributed operators.</summary>
    protected const string Microsoft = "com.microsoft";

    private readonly Dictionary<(string Domain, string OpType), StreamRule> _rules = [];

    /// <summary>The rules by domain and operator.</summary>
    public IReadOnlyDictionary<(string Domain, string OpType), StreamRule> Rules => _rules;

    /// <summary>Sets the rule of an operator.</summary>
    protected void Rule(string opType, StreamRule rule, string domain = "") => _rules.Add((domain, opType), rule);

    /// <summary>Sets the rule of several operators of ONNX's own set.</summary>
    protected void Rule(IEnumerable<string> opTypes, StreamRule rule)
    {
        foreach (var opType in opTypes)
        {
            Rule(opType, rule);
        }
    }
}

/// <summary>Puts a <see cref="StreamRuleTable"/> into the catalog of stream rules.</summary>
internal sealed class StreamRulesAttribute() : CatalogAttribute(null)
{
    /// <inheritdoc/>
    public override Type EntryType => typeof(StreamRuleTable);
}
