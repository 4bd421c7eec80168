using Build.ML.Abstractions.Techniques;
using Build.ML.Calibration;
using Build.ML.Calibration.LinearAlgebra;
using Build.ML.Calibration.Statistics;
using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Ir;

namespace Build.ML.Quantization.Folding;

/// <summary>What calibration says of the activation that a group of layers multiplies.</summary>
/// <param name="Hessian">2/n·Σ x·xᵀ, [channels, channels]: the mean squared output error of a weight error E is tr(E·H·Eᵀ)/2.</param>
/// <param name="MeanMagnitude">Mean of |x| of each channel.</param>
/// <param name="Largest">Greatest |x| of each channel.</param>
/// <param name="Rows">Some rows drawn at random, one after the other.</param>
internal sealed record GroupInputs(FloatMatrix Hessian, float[] MeanMagnitude, float[] Largest, float[] Rows) : IDisposable
{
    /// <summary>Runs the model up to a group and reads its activation over all batches. Only one group's figures need exist at a time.</summary>
    /// <param name="run">A run that is not beyond the group.</param>
    /// <param name="group">A group of matrix products in the main graph.</param>
    /// <param name="first">The first node of the group in the order of the graph.</param>
    /// <param name="sampledRows">Rows to keep.</param>
    /// <param name="context">Threads, on which results do not depend, and the seed of the sample.</param>
    /// <exception cref="DiagnosticException">BML5405: an activation is NaN or infinite.</exception>
    public static GroupInputs Observe(StreamedExecution run, LayerGroup group, Node first, int sampledRows, StepContext context)
    {
        run.AdvanceTo(first);
        var columns = group.Channels;
        var sums = new double[columns];
        var largest = new float[columns];
        var partial = new float[columns];
        using var hessian = new HessianAccumulator(columns, context.Threads);
        var sample = new RowSampleStatistic(sampledRows, context.Seed);
        var rows = sample.Create();
        foreach (var tensor in run.Activations(group.Activation))
        {
            using var x = FloatView.Of(tensor);
            hessian.Add(x.Span);
            if (sampledRows > 0)
            {
                sample.Add(rows, tensor);
            }

            for (var start = 0; start < x.Span.Length; start += columns)
            {
                AddMagnitudes(x.Span.Slice(start, columns), partial, largest);
            }

            for (var i = 0; i < columns; i++)
            {
                sums[i] += partial[i];
                partial[i] = 0;
            }
        }

        if (hessian.Count == 0 || sums.Any(s => !double.IsFinite(s)))
        {
            throw new DiagnosticException(
                "BML5405", $"The activation '{group.Activation.Name}' is NaN, infinite or empty on the calibration data. Check the data, or exclude {group.Name}.");
        }

        var count = hessian.Count;
        return new(hessian.Finish(), Array.ConvertAll(sums, s => (float)(s / count)), largest, rows.Elements.ToArray());
    }

    /// <inheritdoc/>
    public void Dispose() => Hessian.Dispose();

    private static void AddMagnitudes(ReadOnlySpan<float> row, Span<float> sums, Span<float> largest)
    {
        for (var i = 0; i < row.Length; i++)
        {
            var magnitude = Math.Abs(row[i]);
            sums[i] += magnitude;
            largest[i] = Math.Max(largest[i], magnitude);
        }
    }
}
