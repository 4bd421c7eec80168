using System.ComponentModel;
using Build.ML.Calibration;
using Build.ML.Graph.Coupling;
using Build.ML.Graph.Diagnostics;

namespace Build.ML.Pruning.Structured.Importances;

/// <summary>
/// The magnitude of the batch normalization's scale |γ| (Liu et al. 2017, "Network Slimming", arXiv 1708.06519), as it is: all layers are compared by it; where several normalizations scale an
/// axis, their mean. For models exported with their BatchNormalization nodes, best after training with an L1 penalty on the scales.
/// </summary>
[Importance("batch_norm")]
[Description("Magnitude of the scale of the batch normalization behind a channel.")]
public sealed record BatchNormImportance : Importance
{
    /// <inheritdoc/>
    public override IReadOnlyList<float[]> Score(ImportanceContext context)
    {
        var errors = new List<Diagnostic>();
        var scores = new float[context.Axes.Count][];
        for (var a = 0; a < scores.Length; a++)
        {
            var axis = context.Axes[a];
            var scales = axis.Places.Where(p => p.Reader.Is("BatchNormalization") && p.Reader.Input(1) == p.Constant).ToArray();
            if (scales.Length == 0)
            {
                errors.Add(new(
                    "BML5631", $"The importance 'batch_norm' reads scales of BatchNormalization, and no such node scales the axis '{axis.Name}' ({axis.Size} positions); exporters fold them into convolutions. "
                    + "Choose another importance, exclude the axis, or export the model with its batch normalization."));
            }

            scores[a] = Mean(axis, scales);
        }

        return errors.Count == 0 ? scores : throw new DiagnosticException(errors);
    }

    private static float[] Mean(ChannelAxis axis, AxisPlace[] scales)
    {
        var sums = new float[axis.Size];
        foreach (var scale in scales)
        {
            using var view = FloatView.Of(scale.Constant.Constant!);
            var positions = scale.ToAxisPositions();
            for (var i = 0; i < positions.Length; i++)
            {
                if (positions[i] >= 0)
                {
                    sums[positions[i]] += Math.Abs(view.Span[i]) / scales.Length;
                }
            }
        }

        return sums;
    }
}
