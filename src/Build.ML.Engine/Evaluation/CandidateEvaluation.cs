using System.Collections.Immutable;
using Build.ML.Abstractions.Metrics;
using Build.ML.Abstractions.References;
using Build.ML.Engine.Work;
using Build.ML.Graph;
using Build.ML.Graph.Diagnostics;

namespace Build.ML.Engine.Evaluation;

/// <summary>Takes figures of models that a step considers, with the recipe's own metrics: what <c>StepContext.Evaluate</c> does.</summary>
/// <param name="context">The step's. Its progress is the technique's own, so evaluation reports none.</param>
/// <param name="location">The step, for messages.</param>
internal sealed class CandidateEvaluation(ItemContext context, SourceLocation location)
{
    private readonly ItemContext _context = context with { Progress = new Progress<Abstractions.Techniques.StepProgress>() };

    /// <summary>Takes figures of one model.</summary>
    public ImmutableArray<MetricValue> Run(Model model, DataReference data, ImmutableArray<MetricReference> metrics)
    {
        var uses = metrics.Select(m => _context.Recipe.MetricNamed(m.Name)).ToImmutableArray();
        using var file = new CandidateFile(model, _context.Scratch);
        return [.. new Evaluator(_context, new(data.Name, uses, [], location)).Run(model, file.Save).Select(m => m.Value)];
    }
}
