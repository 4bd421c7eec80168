using Build.ML.Abstractions.Techniques;
using Build.ML.Calibration;
using Build.ML.Graph;
using Build.ML.Graph.Ir;

namespace Build.ML.Pruning.Structured.Recovery;

/// <summary>
/// One walk through a pruned model and the original side by side: layers that read what is gone are reconstructed, statistics of batch normalization taken anew, each with what the layers
/// before it, mended already, give.
/// </summary>
/// <param name="original">The model before pruning; not changed.</param>
/// <param name="pruned">Edited in place.</param>
/// <param name="kept">What is left of the original.</param>
/// <param name="options">Which of both to do, data.</param>
/// <param name="context">Runs models.</param>
internal sealed class PrunedModelRecovery(Model original, Model pruned, KeptPositions kept, StructuredPruningOptions options, StepContext context)
{
    /// <summary>Mends the model.</summary>
    /// <exception cref="Graph.Diagnostics.DiagnosticException">BML5407, BML5430 of the data, BML5635 a layer cannot be reconstructed.</exception>
    public void Run()
    {
        var steps = Steps().ToArray();
        if (steps.Length == 0)
        {
            return;
        }

        using var now = new StreamedExecution(pruned, context.Data(options.Data!.Value), context);
        using var before = options.Compensate == Compensation.LeastSquares ? new StreamedExecution(original, context.Data(options.Data!.Value), context) : null;
        for (var i = 0; i < steps.Length; i++)
        {
            context.Progress.Report(new((double)i / steps.Length, "compensating"));
            var (node, layer) = steps[i];
            now.AdvanceTo(node);
            if (layer is null)
            {
                BatchNormEstimate.Apply(node, now);
                continue;
            }

            before!.AdvanceTo(layer.Original);
            layer.Reconstruct(before, now, options.Ridge, context);
        }
    }

    private IEnumerable<(Node Node, ReconstructedLayer? Layer)> Steps()
    {
        foreach (var node in pruned.Graph.Nodes)
        {
            if (options.BatchNorm == BatchNormStatistics.Reestimate && BatchNormEstimate.Supports(node))
            {
                yield return (node, null);
            }
            else if (options.Compensate == Compensation.LeastSquares && kept.Readers.Contains(node.Outputs[0].Name)
                && original.Graph.Find(node.Outputs[0].Name)?.Producer is { } producer && ReconstructedLayer.Of(node, producer, kept) is { } layer)
            {
                yield return (node, layer);
            }
        }
    }
}
