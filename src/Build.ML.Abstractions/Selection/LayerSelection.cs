using System.Collections.Immutable;
using Build.ML.Graph;
using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Ir;

namespace Build.ML.Abstractions.Selection;

/// <summary>
/// Which nodes a technique touches, chosen by operator and by name. A name pattern is tried against the node's name, the names of its outputs and
/// the names of its constants (weights); one fit is enough.
/// </summary>
public sealed class LayerSelection
{
    private readonly ImmutableHashSet<string> _opTypes;
    private readonly ImmutableArray<NamePattern> _include;
    private readonly ImmutableArray<NamePattern> _exclude;

    /// <summary>Checks the patterns against a model.</summary>
    /// <param name="model">The model they are meant for.</param>
    /// <param name="opTypes">Operators to take, such as <c>Conv</c>; none takes all.</param>
    /// <param name="include">Globs a node must fit one of; none takes all.</param>
    /// <param name="exclude">Globs a node must fit none of.</param>
    /// <exception cref="DiagnosticException">BML5401 for each pattern that fits no node of the model.</exception>
    public LayerSelection(
        Model model, ImmutableArray<string> opTypes, ImmutableArray<string> include, ImmutableArray<string> exclude)
    {
        _opTypes = [.. opTypes];
        _include = [.. include.Select(p => new NamePattern(p))];
        _exclude = [.. exclude.Select(p => new NamePattern(p))];
        var errors = new List<Diagnostic>();
        foreach (var pattern in _include.Concat(_exclude))
        {
            if (!model.AllNodes.Any(n => Fits(n, pattern)))
            {
                errors.Add(new(
                    "BML5401",
                    $"The pattern '{pattern.Text}' fits no node of the model, neither by its name nor by an output or a weight; "
                    + $"nodes are named such as {Examples(model)}. Correct the pattern or remove it."));
            }
        }

        if (errors.Count > 0)
        {
            throw new DiagnosticException(errors);
        }
    }

    /// <summary>Why a node is not chosen, or null when it is.</summary>
    public string? ReasonToLeave(Node node)
    {
        if (_opTypes.Count > 0 && !_opTypes.Contains(node.OpType))
        {
            return "not among op_types";
        }

        foreach (var pattern in _exclude)
        {
            if (Fits(node, pattern))
            {
                return $"excluded by '{pattern.Text}'";
            }
        }

        return _include.Length == 0 || _include.Any(p => Fits(node, p)) ? null : "not among include";
    }

    private static bool Fits(Node node, NamePattern pattern)
    {
        if (pattern.Matches(node.Name))
        {
            return true;
        }

        foreach (var output in node.Outputs)
        {
            if (output.Name.Length > 0 && pattern.Matches(output.Name))
            {
                return true;
            }
        }

        foreach (var input in node.Inputs)
        {
            if (input?.Constant is not null && pattern.Matches(input.Name))
            {
                return true;
            }
        }

        return false;
    }

    private static string Examples(Model model) => string.Join(
        ", ",
        model.AllNodes.Select(n => n.Name.Length > 0 ? n.Name : n.Outputs.Count > 0 ? n.Outputs[0].Name : "").Where(n => n.Length > 0).Take(3)
            .Select(n => $"'{n}'"));
}
