using System.Collections.Immutable;
using System.ComponentModel.DataAnnotations;
using Build.ML.Abstractions.Metrics;
using Build.ML.Abstractions.References;
using Build.ML.Graph.Diagnostics;

namespace Build.ML.Pruning.Depth;

/// <summary>
/// What a metric loses when the block alone is taken out, measured: the criterion of Minitron's depth pruning (Muralidharan et al. 2024, arXiv 2407.14679, §2.3) with perplexity as metric. Takes one
/// evaluation for each block.
/// </summary>
[BlockImportance("metric")]
public sealed record MetricLoss : BlockImportance
{
    /// <summary>The metric, one of the recipe's, such as <c>perplexity</c>.</summary>
    [Required] public required MetricReference Metric { get; init; }

    /// <summary>The data to measure on. Default: <c>data</c> of the step.</summary>
    public DataReference? On { get; init; }

    /// <inheritdoc/>
    /// <exception cref="DiagnosticException">BML5630: no data.</exception>
    public override ImmutableArray<double> Score(BlockImportanceContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        var data = On ?? context.Data ?? throw new DiagnosticException(
            "BML5630", "importance: metric measures what each layer is worth, which needs data, and the step names none. Add data: with samples that the metric can judge.");
        var scores = ImmutableArray.CreateBuilder<double>(context.Blocks.Length);
        foreach (var block in context.Blocks)
        {
            context.Step.Cancellation.ThrowIfCancellationRequested();
            context.Step.Progress.Report(new(scores.Count / (double)context.Blocks.Length, "measuring layers"));
            using var candidate = context.Model.Clone();
            LayerPruning.Twin(candidate, block).Remove();
            var figure = context.Step.Evaluate(candidate, data, [Metric])[0];
            scores.Add(figure.Direction == Direction.LowerIsBetter ? figure.Value : -figure.Value);
        }

        return scores.ToImmutable();
    }
}
