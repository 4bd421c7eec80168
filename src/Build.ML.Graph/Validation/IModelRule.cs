using Build.ML.Graph.Catalogs;
using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Ir;

namespace Build.ML.Graph.Validation;

/// <summary>One group of requirements of the ONNX IR specification. Adding one is adding one file.</summary>
internal interface IModelRule
{
    /// <summary>Reports every violation.</summary>
    void Check(Model model, ViolationList violations);
}

/// <summary>Names a rule.</summary>
/// <param name="name">Kebab-case.</param>
[AttributeUsage(AttributeTargets.Class, Inherited = false)]
internal sealed class ModelRuleAttribute(string name) : CatalogAttribute(name)
{
    public override Type EntryType => typeof(IModelRule);
}

/// <summary>Collects violations.</summary>
/// <param name="file">The model's file, or null.</param>
internal sealed class ViolationList(string? file)
{
    private readonly List<Diagnostic> _diagnostics = [];

    public IReadOnlyList<Diagnostic> Diagnostics => _diagnostics;

    public void Error(string code, string message) => Add(code, message, Severity.Error);

    public void Warning(string code, string message) => Add(code, message, Severity.Warning);

    /// <summary>The main graph, the functions' bodies, and all subgraphs in these.</summary>
    public static IEnumerable<OnnxGraph> AllGraphs(Model model)
    {
        foreach (var root in model.Functions.Select(f => f.Body).Prepend(model.Graph))
        {
            yield return root;
            foreach (var graph in root.AllNodes.SelectMany(n => n.Subgraphs))
            {
                yield return graph;
            }
        }
    }

    private void Add(string code, string message, Severity severity) =>
        _diagnostics.Add(new Diagnostic(code, message, file is null ? null : new(file), severity));
}
