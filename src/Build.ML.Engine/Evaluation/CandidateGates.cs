using Build.ML.Abstractions.Techniques;
using Build.ML.Engine.Reporting;
using Build.ML.Engine.Work;
using Build.ML.Graph;
using Build.ML.Graph.Diagnostics;
using Build.ML.Recipes;

namespace Build.ML.Engine.Evaluation;

/// <summary>Compares models that a step considers with the recipe's gates: what <c>StepContext.CheckGates</c> does.</summary>
/// <param name="context">The step's. Its progress is the technique's own, so evaluation reports none.</param>
/// <param name="step">The step that the candidates are of.</param>
internal sealed class CandidateGates(ItemContext context, Step step)
{
    private readonly ItemContext _context = context with { Progress = new Progress<StepProgress>() };

    // The source model's own figures, taken once.
    private Lazy<KeyValuePair<string, System.Collections.Immutable.ImmutableArray<Measurement>>> Source => field ??= new(() =>
        KeyValuePair.Create(Recipe.SourceModel, new Evaluator(_context, _context.Recipe.Evaluate!).Run(Recipe.SourceModel)));

    /// <summary>Evaluates a candidate.</summary>
    /// <exception cref="DiagnosticException">BML5013 the recipe has no gates; BML5014 a gate names another step, whose model does not exist here.</exception>
    public GateVerdict Check(Model model)
    {
        var recipe = _context.Recipe;
        if (recipe.Gates.IsEmpty || recipe.Evaluate is null)
        {
            throw new DiagnosticException(
                "BML5013", $"'{step.Technique}' tries candidates until the recipe's gates hold, and the recipe has none. Add 'gates:' such as 'accuracy >= model.accuracy - 0.01', and 'evaluate:'.", step.Location);
        }

        var foreign = (from gate in recipe.Gates from metric in gate.Expression.Metrics where metric.Model is { } name && name != Recipe.SourceModel && name != step.Id select (gate, metric)).ToList();
        if (foreign.Count > 0)
        {
            throw new DiagnosticException([.. foreign.Select(f => new Diagnostic(
                "BML5014", $"'{step.Technique}' of step '{step.Id}' tries candidates until the recipe's gates hold, and gate '{f.gate.Text}' names {f.metric}: no other step's model exists then. Leave the step's name out, or put the gate into another recipe.",
                f.gate.Location))]);
        }

        using var file = new CandidateFile(model, _context.Scratch);
        var figures = new Evaluator(_context, recipe.Evaluate).Run(model, file.Save);
        var set = new EvaluationSet([Source.Value, KeyValuePair.Create(step.Id, figures)]);
        var checks = recipe.Gates.Select(g => GateCheck.Of(g, set, step.Id)).ToList();
        return new(
            checks.TrueForAll(c => c.Failure is null),
            [.. checks.Select(c => c.Result.ToString())],
            [.. checks.Where(c => c.Failure is not null).Select(c => c.Result.ToString())],
            [.. figures.Select(f => f.Value)]);
    }
}
