using System.Collections.Immutable;
using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Numerics.Tensors;
using Build.ML.Abstractions.Data;
using Build.ML.Abstractions.References;
using Build.ML.Calibration;
using Build.ML.Graph.Diagnostics;

namespace Build.ML.Pruning.Budgets;

/// <summary>
/// Each layer is pruned alone, by magnitude, to a few sparsities, and what that does to the model's outputs is measured: Σ (y − ŷ)² / Σ y². Zeros are then shared out so that the sum of these errors is
/// least, the error between two sparsities taken for linear and its curve for its lower convex hull, so that taking the cheapest zeros first is the optimum. Needs no labels.
/// </summary>
[SparsityBudget("sensitivity")]
[Description("Each layer is pruned alone; zeros go where the model's outputs change least.")]
public sealed record SensitivityBudget : SparsityBudget
{
    private const double Worst = 1e9;

    /// <summary>Samples to measure on. Default: the calibration data of the technique.</summary>
    public DataReference? Data { get; init; }

    /// <summary>Samples of the data to use, the first ones; 0 takes all. Default 16.</summary>
    [Range(0, int.MaxValue)]
    public int Samples { get; init; } = 16;

    /// <summary>Sparsities that each layer is pruned to, above 0 and below 1, ascending; 0 and 1 are there besides. Default 0.3, 0.5, 0.7, 0.9.</summary>
    [Range(0.001, 0.999)]
    public ImmutableArray<double> Sparsities { get; init; } = [0.3, 0.5, 0.7, 0.9];

    /// <inheritdoc/>
    /// <exception cref="DiagnosticException">BML5410: no data.</exception>
    public override IReadOnlyList<double> Allocate(BudgetContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        var data = new FirstSamples(context.Read(Data), Samples);
        double[] sparsities = [0, .. Sparsities.Order(), 1];
        var expected = Outputs(context, data);
        var curves = new double[context.Layers.Length][];
        for (var i = 0; i < curves.Length; i++)
        {
            var weight = PrunableWeight.Of(context.Layers[i].Node)!;
            var tensor = weight.Tensor;
            curves[i] = new double[sparsities.Length];
            for (var s = 1; s < sparsities.Length; s++)
            {
                context.Step.Cancellation.ThrowIfCancellationRequested();
                context.Step.Progress.Report(new((i + (double)s / sparsities.Length) / curves.Length, "sensitivity"));
                MagnitudePruning.Prune(weight, null, (long)Math.Round(tensor.Count * sparsities[s]), context.Step.Cancellation);
                try
                {
                    curves[i][s] = Error(expected, Outputs(context, data));
                }
                finally
                {
                    weight.Replace(tensor);
                }
            }
        }

        return Minimize(sparsities, curves, [.. context.Layers.Select(l => (double)l.Count)], context.Zeros);
    }

    /// <summary>Shares out zeros at the least sum of errors.</summary>
    /// <param name="sparsities">From 0 to 1, ascending.</param>
    /// <param name="curves">Of each layer the error at each sparsity.</param>
    /// <param name="counts">Weights of each layer.</param>
    /// <param name="zeros">Zeros in all.</param>
    internal static double[] Minimize(double[] sparsities, double[][] curves, double[] counts, double zeros)
    {
        var pieces = new List<(double Slope, int Layer, double Zeros)>();
        for (var i = 0; i < curves.Length; i++)
        {
            var hull = new List<int>();
            for (var s = 0; s < sparsities.Length; s++)
            {
                while (hull.Count > 1 && Slope(curves[i], hull[^2], hull[^1]) >= Slope(curves[i], hull[^1], s))
                {
                    hull.RemoveAt(hull.Count - 1);
                }

                hull.Add(s);
            }

            for (var h = 1; h < hull.Count && counts[i] > 0; h++)
            {
                pieces.Add((Slope(curves[i], hull[h - 1], hull[h]) / counts[i], i, (sparsities[hull[h]] - sparsities[hull[h - 1]]) * counts[i]));
            }
        }

        var shares = new double[counts.Length];
        foreach (var (_, layer, most) in pieces.OrderBy(p => p.Slope)) // stable: of equal ones the first layer
        {
            var taken = Math.Min(most, zeros);
            shares[layer] += taken;
            zeros -= taken;
        }

        return shares;

        double Slope(double[] curve, int from, int to) => (curve[to] - curve[from]) / (sparsities[to] - sparsities[from]);
    }

    private static float[][] Outputs(BudgetContext context, DataSet data)
    {
        using var run = new StreamedExecution(context.Model, data, context.Step);
        var outputs = context.Model.Graph.Outputs.Where(o => o.Producer is not null && o.Constant is null).Distinct().ToArray();
        var seen = outputs.ToDictionary(o => o, _ => new List<float>());
        run.AdvanceTo(null, outputs, (value, tensor) =>
        {
            if (FloatView.CanRead(tensor.Type))
            {
                using var view = FloatView.Of(tensor);
                seen[value].AddRange(view.Span);
            }
        });
        return Array.ConvertAll(outputs, o => seen[o].ToArray());
    }

    // Where numbers of the outputs are not finite any more, the worst there is.
    private static double Error(float[][] expected, float[][] actual)
    {
        double error = 0, size = 0;
        for (var i = 0; i < expected.Length; i++)
        {
            if (actual[i].Length != expected[i].Length)
            {
                return Worst; // outputs whose sizes depend on the data, such as detections
            }

            for (var start = 0; start < expected[i].Length; start += 4096)
            {
                var part = expected[i].AsSpan(start, Math.Min(4096, expected[i].Length - start));
                var distance = (double)TensorPrimitives.Distance(part, actual[i].AsSpan(start, part.Length));
                error += distance * distance;
                size += TensorPrimitives.SumOfSquares(part);
            }
        }

        return !double.IsFinite(error) ? Worst : Math.Min(size == 0 ? error : error / size, Worst);
    }
}
