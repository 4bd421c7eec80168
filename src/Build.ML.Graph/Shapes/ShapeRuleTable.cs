namespace Build.ML.Graph.Shapes;

/// <summary>
/// Tells the output types of one operator from its input types, attributes and known input values. What a rule cannot tell it leaves unset; a node
/// that contradicts its operator's definition is reported with <see cref="ShapeContext.Fail"/>.
/// </summary>
/// <param name="context">The node at hand.</param>
public delegate void ShapeRule(ShapeContext context);

/// <summary>
/// The shape and type rules of one family of operators. A sealed class with <see cref="ShapeRulesAttribute"/> is all it takes to add one; its
/// constructor names the rules. A rule serves all versions of its operator and asks <see cref="ShapeContext.Opset"/> where they differ.
/// </summary>
public abstract class ShapeRuleTable
{
    /// <summary>Domain of ONNX Runtime's contributed operators.</summary>
    protected const string Microsoft = "com.microsoft";

    private readonly Dictionary<(string Domain, string OpType), ShapeRule> _rules = [];

    /// <summary>The rules by domain and operator.</summary>
    internal IReadOnlyDictionary<(string Domain, string OpType), ShapeRule> Rules => _rules;

    /// <summary>Sets the rule of an operator.</summary>
    /// <param name="opType">Operator.</param>
    /// <param name="rule">Its rule.</param>
    /// <param name="domain">Operator set domain; ONNX's own by default.</param>
    protected void Rule(string opType, ShapeRule rule, string domain = "") => _rules.Add((domain, opType), rule);

    /// <summary>Sets the rule of several operators.</summary>
    protected void Rule(IEnumerable<string> opTypes, ShapeRule rule, string domain = "")
    {
        foreach (var opType in opTypes)
        {
            Rule(opType, rule, domain);
        }
    }
}
