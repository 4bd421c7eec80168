using System.Reflection;
using Build.ML.Graph.Catalogs;
using Build.ML.Graph.Diagnostics;

namespace Build.ML.Autodiff;

/// <summary>The gradient rules and training forms of a set of assemblies, at most one of each per operator. Immutable.</summary>
public sealed class GradientRuleSet
{
    private static readonly Lazy<GradientRuleSet> LazyBuiltIn = new(() => Scan([]));
    private readonly Dictionary<(string Domain, string OpType), GradientRule> _rules = [];
    private readonly Dictionary<(string Domain, string OpType), TrainingForm> _forms = [];

    private GradientRuleSet()
    {
    }

    /// <summary>The rules of this assembly.</summary>
    public static GradientRuleSet BuiltIn => LazyBuiltIn.Value;

    /// <summary>Every operator with a gradient, by a rule or by its training form: domain (empty for ONNX's own) and operator.</summary>
    public IEnumerable<(string Domain, string OpType)> Operators => _rules.Keys.Union(_forms.Keys);

    /// <summary>The rules of this assembly and others.</summary>
    /// <param name="others">Assemblies with tables of their own.</param>
    /// <exception cref="DiagnosticException">BML8101 two tables have a rule or form for one operator, or see <see cref="Catalog{T}.Scan"/>.</exception>
    public static GradientRuleSet Of(params IReadOnlyCollection<Assembly> others) => others.Count == 0 ? BuiltIn : Scan(others);

    /// <summary>The gradient of an operator, or null.</summary>
    public GradientRule? FindRule(string domain, string opType) => _rules.GetValueOrDefault((domain, opType));

    /// <summary>The form of an operator in training, or null.</summary>
    public TrainingForm? FindForm(string domain, string opType) => _forms.GetValueOrDefault((domain, opType));

    private static GradientRuleSet Scan(IReadOnlyCollection<Assembly> others)
    {
        var set = new GradientRuleSet();
        var errors = new List<Diagnostic>();
        foreach (var entry in Catalog<GradientTable>.Scan([typeof(GradientRuleSet).Assembly, .. others]))
        {
            var table = entry.Create();
            Add(set._rules, table.Rules, "gradient", entry.Type, errors);
            Add(set._forms, table.Forms, "training form", entry.Type, errors);
        }

        return errors.Count == 0 ? set : throw new DiagnosticException(errors);
    }

    private static void Add<T>(
        Dictionary<(string Domain, string OpType), T> to, IReadOnlyDictionary<(string Domain, string OpType), T> from, string what, Type table, List<Diagnostic> errors)
    {
        foreach (var (key, value) in from)
        {
            if (!to.TryAdd(key, value))
            {
                errors.Add(new("BML8101", $"{table.FullName} has a {what} for {key.OpType} of domain '{key.Domain}', which another table has too; remove one."));
            }
        }
    }
}
