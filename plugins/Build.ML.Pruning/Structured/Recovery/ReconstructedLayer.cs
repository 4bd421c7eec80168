using Build.ML.Abstractions.Techniques;
using Build.ML.Calibration;
using Build.ML.Calibration.LinearAlgebra;
using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Ir;

namespace Build.ML.Pruning.Structured.Recovery;

/// <summary>
/// A layer of a pruned model and what it was before. With x the inputs it had, x̂ those that it has now (a 1 behind both for the bias), W what it made of x and Ŵ its weight now, it gets
/// Ŵ + Δ where Δ makes Σ‖W·x − (Ŵ + Δ)·x̂‖² + λ‖Δ‖² least: Δ·(Σ x̂x̂ᵀ + λ) = W·Σ x·x̂ᵀ − Ŵ·Σ x̂x̂ᵀ. Where what is gone is a linear combination of what stays, that is exact.
/// </summary>
internal sealed class ReconstructedLayer
{
    private readonly LayerMatrix _before;
    private readonly LayerMatrix _now;
    private readonly int[] _outputs;

    private ReconstructedLayer(LayerMatrix before, LayerMatrix now, int[] outputs) => (_before, _now, _outputs) = (before, now, outputs);

    /// <summary>The layer's node in the original model.</summary>
    public Node Original => _before.Node;

    /// <summary>The pair of a node and what it was, or null where it is not a layer with a weight of its own.</summary>
    /// <param name="node">In the pruned model.</param>
    /// <param name="original">In the original.</param>
    /// <param name="kept">Which of the outputs are left.</param>
    public static ReconstructedLayer? Of(Node node, Node original, KeptPositions kept)
    {
        if (LayerMatrix.Of(node) is not { } now || LayerMatrix.Of(original) is not { } before || now.HasBias != before.HasBias)
        {
            return null;
        }

        var outputs = kept.Of(now.Weight.Name, now.OutputDimension, now.Outputs);
        return outputs.Length == now.Outputs ? new(before, now, outputs) : null;
    }

    /// <summary>Sets the weight and the bias.</summary>
    /// <param name="before">The original, run up to the layer.</param>
    /// <param name="now">The pruned model, run up to the layer.</param>
    /// <param name="ridge">λ over the mean of the diagonal of Σ x̂x̂ᵀ.</param>
    /// <param name="context">Threads, cancellation.</param>
    /// <exception cref="DiagnosticException">BML5635: the products of the inputs are singular or not finite.</exception>
    public void Reconstruct(StreamedExecution before, StreamedExecution now, double ridge, StepContext context)
    {
        using var products = new InputProducts(_before, _now, context);
        products.Add(before.Activations(_before.Input), now.Activations(_now.Input));
        using var original = _before.Read(_outputs);
        using var weight = _now.Read([.. Enumerable.Range(0, _now.Outputs)]);
        using var change = new FloatMatrix(weight.Rows, weight.Columns);
        MatrixProduct.Add(change.View, original.View, products.Cross.View.Transposed, threads: context.Threads);
        MatrixProduct.Add(change.View, weight.View, products.Own.View, -1, threads: context.Threads);
        var own = products.Own;
        var mean = 0d;
        for (nint i = 0; i < own.Rows; i++)
        {
            mean += own[i, i] / (double)own.Rows;
        }

        if (mean == 0)
        {
            return; // nothing comes in
        }

        for (nint i = 0; i < own.Rows; i++)
        {
            own[i, i] += (float)(ridge * mean);
        }

        if (Cholesky.Factor(own.View, context.Threads, context.Cancellation) >= 0)
        {
            throw new DiagnosticException(
                "BML5635", $"{_now.Node.DisplayName} cannot be reconstructed: the products of its inputs on the calibration data are singular, or not finite. Raise 'ridge', use more data, or 'compensate: none'.");
        }

        CholeskySolution.SolveRows(own.View, change.View, context.Threads, context.Cancellation);
        for (nint row = 0; row < weight.Rows; row++)
        {
            System.Numerics.Tensors.TensorPrimitives.Add(weight.Row(row), change.Row(row), weight.Row(row));
        }

        _now.Write(weight);
    }
}
