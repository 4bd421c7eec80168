namespace Build.ML.Graph.Coupling;

/// <summary>
/// Tells how one operator ties the layouts of its inputs and outputs, what each constant is to its axes, and what to edit when positions go.
/// </summary>
/// <param name="context">The node at hand.</param>
public delegate void CouplingRule(CouplingContext context);

/// <summary>
/// The coupling rules of one family of operators. A sealed class with <see cref="CouplingRulesAttribute"/> is all it takes to add one; its constructor
/// names the rules. A rule serves all versions of its operator and asks <see cref="CouplingContext.Opset"/> where they differ.
/// </summary>
public abstract class CouplingRuleTable
{
    /// <summary>Domain of ONNX Runtime's contributed operators.</summary>
    protected const string Microsoft = "com.microsoft";

    private readonly Dictionary<(string Domain, string OpType), CouplingRule> _rules = [];

    /// <summary>The rules by domain and operator.</summary>
    internal IReadOnlyDictionary<(string Domain, string OpType), CouplingRule> Rules => _rules;

    /// <summary>Sets the rule of an operator.</summary>
    /// <param name="opType">Operator.</param>
    /// <param name="rule">Its rule.</param>
    /// <param name="domain">Operator set domain; ONNX's own by default.</param>
    protected void Rule(string opType, CouplingRule rule, string domain = "") => _rules.Add((domain, opType), rule);

    /// <summary>Sets the rule of several operators.</summary>
    protected void Rule(IEnumerable<string> opTypes, CouplingRule rule, string domain = "")
    {
        foreach (var opType in opTypes)
        {
            Rule(opType, rule, domain);
        }
    }
}
