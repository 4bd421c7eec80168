using Build.ML.Graph.Diagnostics;
using Build.ML.Recipes;
using Build.ML.Recipes.Gates;

namespace Build.ML.Engine.Reporting;

/// <summary>A gate looked at.</summary>
/// <param name="Result">Both sides; not a number where a metric was not measured.</param>
/// <param name="Line">For the report.</param>
/// <param name="Failure">Null where the gate holds.</param>
internal sealed record GateCheck(GateResult Result, string Line, Diagnostic? Failure)
{
    /// <summary>
    /// Compares a gate's sides. <c>model.metric</c> beside a figure of a step is the source model's figure taken in the same run as the step's, where there is one,
    /// and another step's figure is brought to that run too: ratios of times then do not depend on what else the machine did.
    /// </summary>
    /// <param name="gate">The gate.</param>
    /// <param name="figures">What was measured.</param>
    /// <param name="step">The step that metrics without a name are of: the recipe's last one, or a candidate.</param>
    public static GateCheck Of(Gate gate, EvaluationSet figures, string step)
    {
        var missing = new List<string>();
        var subject = gate.Expression.Metrics.Select(m => m.Model ?? step).FirstOrDefault(m => m != Recipe.SourceModel) ?? Recipe.SourceModel;
        var result = gate.Expression.Evaluate(metric =>
        {
            var model = metric.Model ?? step;
            var value = model == Recipe.SourceModel ? figures.SourceFor(subject, metric.Metric) : figures.BesideRunOf(model, metric.Metric, subject);
            if (value is null)
            {
                missing.Add(metric.ToString());
            }

            return value ?? double.NaN;
        });
        return missing.Count > 0
            ? new(result, $"{gate.Text}: not measured", new("BML6002",
                $"Gate '{gate.Text}' names {string.Join(", ", missing)}, which 'evaluate:' does not measure; measured are {string.Join(", ", figures.Names)} "
                + $"of {string.Join(", ", figures.Models)}.", gate.Location))
            : result.Passed ? new(result, $"{result}: holds", null)
            : new(result, $"{result}: FAILS", new("BML6001", $"Gate does not hold: {result}. Outputs stay as they were.", gate.Location));
    }
}
