using Build.ML.Abstractions.Techniques;
using Build.ML.Calibration.Hessians;
using Build.ML.Calibration.Layers;
using Build.ML.Calibration.LinearAlgebra;
using Build.ML.Graph.Diagnostics;
using Build.ML.Pruning.Calibrated;
using Tensor = Build.ML.Graph.Tensors.Tensor;

namespace Build.ML.Pruning.SparseGpt;

/// <summary>SparseGPT of the layers of a group, whose Hessian is factored once.</summary>
/// <param name="dampening">λ over the mean of the Hessian's diagonal.</param>
/// <param name="window">Columns whose mask is chosen together.</param>
internal sealed class SparseGptPruner(double dampening, int window) : GroupPruner
{
    /// <inheritdoc/>
    /// <exception cref="DiagnosticException">BML5423: a Hessian is not finite.</exception>
    public override void Prune(
        InputGroup group, IEnumerable<Tensor> activations, IReadOnlyList<LayerTarget> targets, StepContext context, Action<NumberedLayer, PrunedLayer> pruned)
    {
        LayerHessians hessians;
        using (var collector = new HessianCollector(group, context.Threads))
        {
            foreach (var activation in activations)
            {
                collector.Add(activation);
            }

            hessians = collector.Finish();
        }

        // Of equal geometry, the layers of a group have the same order.
        var order = targets[0].Groups?.Order() ?? [.. Enumerable.Range(0, group.Columns)];
        var factors = Array.ConvertAll(hessians.Matrices, h => Factor(targets[0].Layer.Layer, h, order, context));
        var inputs = hessians.Count;
        hessians.Dispose();
        foreach (var target in targets)
        {
            pruned(target.Layer, Prune(target, factors, inputs, context));
        }

        Array.ForEach(factors, f => f.Dispose());
    }

    private HessianFactor Factor(WeightLayer layer, FloatMatrix hessian, int[] order, StepContext context)
    {
        try
        {
            return HessianFactor.Of(hessian, dampening, order, context.Threads, context.Cancellation);
        }
        catch (ArithmeticException)
        {
            throw new DiagnosticException(
                "BML5423",
                $"The Hessian of layer '{layer.Name}' is not finite: squares of its inputs exceed what float32 holds. Exclude the layer, or scale the model's inputs as it was trained.");
        }
    }

    private PrunedLayer Prune(LayerTarget target, HessianFactor[] factors, long inputs, StepContext context)
    {
        var layer = target.Layer.Layer;
        var weights = GC.AllocateUninitializedArray<float>(checked(layer.Rows * layer.Columns));
        var rows = layer.Rows / factors.Length;
        double error = 0;
        using (var reader = layer.Open())
        {
            void Read(int firstRow, int count, Span<float> destination) => reader.Read(firstRow, count, 0, layer.Columns, destination[..(count * layer.Columns)]);
            for (var group = 0; group < factors.Length; group++)
            {
                error += SparseGptSolver.Solve(
                    factors[group], Read, group * rows, rows, LayerTarget.Share(target.Zeros, group, factors.Length), target.Groups, window, weights, context.Threads, context.Cancellation);
            }
        }

        return new(
            weights,
            [
                new("output_error", error), new("dampening", factors.Max(f => f.Dampening)), new("dead_inputs", factors.Sum(f => f.DeadColumns)), new("calibration_inputs", inputs),
            ]);
    }
}
