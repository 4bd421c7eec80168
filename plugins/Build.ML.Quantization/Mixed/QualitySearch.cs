using System.Collections.Immutable;
using Build.ML.Abstractions.Metrics;
using Build.ML.Abstractions.Techniques;
using Build.ML.Graph;
using Build.ML.Graph.Diagnostics;
using Build.ML.Quantization.Blocks;
using Build.ML.Quantization.WeightOnly;

namespace Build.ML.Quantization.Mixed;

/// <summary>Searches the smallest size that keeps a metric, by bisection over budgets of bytes; what is returned was itself measured.</summary>
/// <param name="model">The model; as it was when the search ends.</param>
/// <param name="problem">Best allocation for a size.</param>
/// <param name="rounding">Quantizes layers.</param>
/// <param name="quality">What to keep.</param>
/// <param name="context">Takes the metric.</param>
internal sealed class QualitySearch(Model model, BitAllocation problem, BlockRounding rounding, QualityBudget quality, StepContext context)
{
    private const int Steps = 8; // 1/256 of the range of sizes

    /// <summary>Searches.</summary>
    /// <param name="notes">Receives what was tried.</param>
    /// <exception cref="DiagnosticException">BML5461: not even the most bits keep the metric.</exception>
    public int[] Find(ImmutableArray<string>.Builder notes)
    {
        var before = Figure();
        long low = problem.LeastBytes, high = problem.MostBytes;
        var best = problem.Solve(high)!;
        if (Loss(best) is var least && least > quality.MaxLoss)
        {
            throw new DiagnosticException(
                "BML5461",
                FormattableString.Invariant($"With the most bits of 'choices' everywhere, {quality.Metric.Name} loses {least:P2} of {before.Value:G5}, and max_loss allows {quality.MaxLoss:P2}. ")
                + "Add 8 or 32 to choices, raise max_loss, or use smaller blocks.");
        }

        for (var step = 0; step < Steps && high - low > problem.MostBytes / 256; step++)
        {
            context.Progress.Report(new((double)step / Steps, "searching the smallest size"));
            var middle = low + (high - low) / 2;
            if (problem.Solve(middle) is { } allocation && Loss(allocation) <= quality.MaxLoss)
            {
                (best, high) = (allocation, problem.BytesOf(allocation));
            }
            else
            {
                low = middle;
            }
        }

        return best;

        double Loss(int[] allocation)
        {
            var after = With(allocation);
            var loss = (after.Direction == Direction.HigherIsBetter ? before.Value - after.Value : after.Value - before.Value) / Math.Max(Math.Abs(before.Value), 1e-30);
            notes.Add(FormattableString.Invariant($"Tried {8.0 * problem.BytesOf(allocation) / problem.Elements:0.00} bits a weight: {quality.Metric.Name} {after.Value:G5}, before {before.Value:G5}."));
            return double.IsNaN(loss) ? double.PositiveInfinity : loss;
        }
    }

    private MetricValue Figure() => context.Evaluate(model, quality.Data, [quality.Metric])[0];

    private MetricValue With(int[] allocation)
    {
        try
        {
            for (var i = 0; i < allocation.Length; i++)
            {
                var (layer, formats) = problem.Items[i];
                if (allocation[i] < formats.Length)
                {
                    new ConstantReplacement(layer.Weight).Set(layer.Restore(rounding.Quantize(layer, formats[allocation[i]], context.Cancellation).Matrix));
                }
            }

            return Figure();
        }
        finally
        {
            foreach (var (layer, _) in problem.Items)
            {
                new ConstantReplacement(layer.Weight).Set(layer.Tensor);
            }
        }
    }
}
