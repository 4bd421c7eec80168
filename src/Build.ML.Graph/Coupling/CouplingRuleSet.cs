using System.Reflection;
using Build.ML.Graph.Catalogs;
using Build.ML.Graph.Diagnostics;

namespace Build.ML.Graph.Coupling;

/// <summary>The coupling rules of a set of assemblies, one per operator. Immutable.</summary>
public sealed class CouplingRuleSet
{
    private static readonly Lazy<CouplingRuleSet> LazyBuiltIn = new(() => Of());
    private readonly Dictionary<(string Domain, string OpType), CouplingRule> _rules = [];

    private CouplingRuleSet()
    {
    }

    /// <summary>The rules of this assembly.</summary>
    public static CouplingRuleSet BuiltIn => LazyBuiltIn.Value;

    /// <summary>Every operator with a rule: domain (empty for ONNX's own) and operator.</summary>
    public IReadOnlyCollection<(string Domain, string OpType)> Operators => _rules.Keys;

    /// <summary>The rules of this assembly and others.</summary>
    /// <exception cref="DiagnosticException">BML5610 two tables have a rule for one operator, or see <see cref="Catalog{T}.Scan"/>.</exception>
    public static CouplingRuleSet Of(params IEnumerable<Assembly> others)
    {
        var set = new CouplingRuleSet();
        var errors = new List<Diagnostic>();
        foreach (var entry in Catalog<CouplingRuleTable>.Scan([typeof(CouplingRuleSet).Assembly, .. others]))
        {
            foreach (var ((domain, opType), rule) in entry.Create().Rules)
            {
                if (!set._rules.TryAdd((domain, opType), rule))
                {
                    errors.Add(new(
                        "BML5610", $"{entry.Type.FullName} has a coupling rule for {opType} of domain '{domain}', which another table has too; remove one."));
                }
            }
        }

        return errors.Count == 0 ? set : throw new DiagnosticException(errors);
    }

    /// <summary>The rule of an operator, or null.</summary>
    public CouplingRule? Find(string domain, string opType) => _rules.GetValueOrDefault((domain, opType));
}
