using System.Collections.Immutable;
using Build.ML.Abstractions.References;
using Build.ML.Abstractions.Techniques;
using Build.ML.Calibration;
using Build.ML.Calibration.Layers;
using Build.ML.Graph;
using Build.ML.Graph.Diagnostics;
using Build.ML.Quantization.Blocks;
using Build.ML.Quantization.Folding;

namespace Build.ML.Quantization.Awq;

/// <summary>
/// Rounds matrix products one group after another, the range of each block searched on the output error (<see cref="ClipSearch"/>) with the activations that the layers before, already
/// rounded, give: a later layer makes up for what it can.
/// </summary>
internal sealed class ClippedRounding(Model model, UniformBitsOptions options, int clipSteps, int refinements, StepContext context)
{
    private const int Sweeps = 3;

    /// <summary>Rounds all layers found and writes them.</summary>
    /// <param name="found">Matrix products.</param>
    /// <param name="data">Calibration data.</param>
    /// <param name="figuresOf">What else the report says of a layer.</param>
    /// <returns>The lines of the report.</returns>
    /// <exception cref="DiagnosticException">BML5406: nothing was rounded.</exception>
    public ImmutableArray<LayerOutcome> Round(
        WeightLayers found, DataReference data, Func<WeightLayer, (string Reason, ImmutableArray<KeyValuePair<string, double>> Figures)> figuresOf)
    {
        var writer = new BlockWriter(model, options, context);
        var outcomes = new List<LayerOutcome>(found.Left.Select(l => l.Outcome));
        var solved = new List<(WeightLayer Layer, BlockQuantizedMatrix Matrix, double Ratio)>();
        var solvable = new List<WeightLayer>();
        foreach (var layer in found.Layers)
        {
            if (writer.Obstacle(layer, layer.Adapt(options.Format)) is { } reason)
            {
                outcomes.Add(new(layer.Name, layer.OpType, "left", reason, []));
                continue;
            }

            solvable.Add(layer);
        }

        var order = GroupOrder.Of(model.Graph, LayerGroup.Of(solvable).Where(g => g.Activation.Graph == model.Graph));
        using (var run = new StreamedExecution(model, context.Data(data), context))
        {
            var search = new ClipSearch(options.Bits, clipSteps, clipSteps == 0 ? 0 : Sweeps, refinements, context.Threads);
            foreach (var (group, first) in order)
            {
                context.Progress.Report(new(0.5 + 0.5 * solved.Count / Math.Max(solvable.Count, 1), $"rounding {group.Name}"));
                using var inputs = GroupInputs.Observe(run, group, first, 0, context);
                foreach (var layer in group.Layers)
                {
                    context.Cancellation.ThrowIfCancellationRequested();
                    var (matrix, rounded, error) = search.Solve(layer, layer.Adapt(options.Format), inputs.Hessian);
                    solved.Add((layer, matrix, rounded > 0 ? error / rounded : 1));
                    ConstantEdit.Replace(layer.Weight, layer.Restore(matrix));
                }
            }
        }

        // Layers inside subgraphs have no calibration: plain rounding.
        foreach (var layer in solvable.Except(solved.Select(s => s.Layer)).ToArray())
        {
            solved.Add((layer, Rounded(layer), 1));
        }

        foreach (var (layer, matrix, ratio) in solved)
        {
            var (reason, figures) = figuresOf(layer);
            outcomes.Add(writer.Write(layer, matrix, null, [new("clip_error_ratio", ratio), .. figures]) with { Reason = reason });
        }

        return solved.Count > 0 ? [.. outcomes] : throw new DiagnosticException(
            "BML5406", $"No layer was quantized: of {outcomes.Count} matrix products with constant weights "
            + $"{(outcomes.Count == 0 ? "none exists" : "each was left, the first because: " + outcomes[0].Reason)}. Remove the step or widen its selection.");
    }

    private BlockQuantizedMatrix Rounded(WeightLayer layer)
    {
        var matrix = new BlockQuantizedMatrix(layer.Rows, layer.Columns, layer.Adapt(options.Format));
        using var reader = layer.Open();
        Parallel.For(0, layer.Rows, new ParallelOptions { MaxDegreeOfParallelism = Math.Max(context.Threads, 1) }, row =>
        {
            var numbers = new float[layer.Columns];
            reader.Read(row, 1, 0, layer.Columns, numbers);
            BlockKernels.RoundRow(matrix.Format, numbers, matrix.CodesOf(row), matrix.ScalesOf(row), matrix.ZeroPointsOf(row));
        });
        return matrix;
    }
}
