using Build.ML.Graph.Catalogs;
using Build.ML.Graph.Ir;

namespace Build.ML.Quantization.Folding;

/// <summary>Passes the division of a node's output by positive channel scales on to what the node reads, so that the node computes the divided output.</summary>
/// <param name="walk">Takes constants to divide and values to go on with.</param>
/// <param name="output">The output to divide.</param>
/// <param name="grid">The channels of its elements.</param>
/// <returns>Why it cannot be, or null when it can.</returns>
internal delegate string? FoldRule(FoldWalk walk, Value output, ChannelGrid grid);

/// <summary>
/// How scales pass through one family of operators. A sealed class with <see cref="FoldRulesAttribute"/> is all it takes to add one; its constructor
/// names the rules.
/// </summary>
internal abstract class FoldRuleTable
{
    /// <summary>Domain of ONNX Runtime's contributed operators.</summary>
    protected const string Microsoft = "com.microsoft";

    private readonly Dictionary<(string Domain, string OpType), FoldRule> _rules = [];

    /// <summary>The rules by domain and operator.</summary>
    public IReadOnlyDictionary<(string Domain, string OpType), FoldRule> Rules => _rules;

    /// <summary>Sets the rule of an operator.</summary>
    protected void Rule(string opType, FoldRule rule, string domain = "") => _rules.Add((domain, opType), rule);

    /// <summary>Sets the rule of several operators of ONNX's own set.</summary>
    protected void Rule(IEnumerable<string> opTypes, FoldRule rule)
    {
        foreach (var opType in opTypes)
        {
            Rule(opType, rule);
        }
    }
}

/// <summary>Puts a <see cref="FoldRuleTable"/> into the catalog of fold rules.</summary>
internal sealed class FoldRulesAttribute() : CatalogAttribute(null)
{
    /// <inheritdoc/>
    public override Type EntryType => typeof(FoldRuleTable);
}
