using Build.ML.Abstractions.Techniques;
using Build.ML.Calibration.Hessians;
using Build.ML.Calibration.Layers;
using Build.ML.Calibration.LinearAlgebra;
using Build.ML.Graph.Diagnostics;
using Build.ML.Quantization.Blocks;
using Build.ML.Quantization.WeightOnly;

namespace Build.ML.Quantization.Gptq;

/// <summary>Solves the layers of a group, whose Hessian is factored once.</summary>
/// <param name="options">Dampening, order, clipping.</param>
/// <param name="context">Cores, cancellation.</param>
internal sealed class LayerSolver(GptqQuantization.Options options, StepContext context)
{
    private readonly BlockRounding _rounding = new(options.Clip == WeightClip.Mse ? new MseClipping() : new RoundToNearest(), context.Threads);

    /// <summary>Rounds a layer to nearest, for layers that calibration does not reach.</summary>
    public (BlockQuantizedMatrix Matrix, WeightError Error) Nearest(WeightLayer layer) =>
        _rounding.Quantize(layer, layer.Adapt(options.Format), context.Cancellation);

    /// <summary>Solves layers.</summary>
    /// <param name="layers">Layers of one group.</param>
    /// <param name="hessians">Of the group; disposed as soon as they are factored.</param>
    /// <param name="solved">Gets each solution; the memory of one is let go of before the next is worked on.</param>
    /// <exception cref="DiagnosticException">BML5423: a Hessian is not finite.</exception>
    public void Solve(IReadOnlyList<NumberedLayer> layers, LayerHessians hessians, Action<NumberedLayer, LayerSolution> solved)
    {
        var count = hessians.Count;
        var factors = Array.ConvertAll(hessians.Matrices, h => Factor(layers[0], h)); // many small ones where a convolution has groups, else one
        using var propagation = ErrorPropagation.Of(hessians, factors, options.Strength, context);
        hessians.Dispose();
        foreach (var layer in layers)
        {
            solved(layer, Solve(layer.Layer, factors, propagation, count));
        }

        Array.ForEach(factors, f => f.Dispose());
    }

    private HessianFactor Factor(NumberedLayer layer, FloatMatrix hessian)
    {
        try
        {
            return HessianFactor.Of(hessian, options.Dampening, options.ActOrder, context.Threads, context.Cancellation);
        }
        catch (ArithmeticException)
        {
            throw new DiagnosticException(
                "BML5423",
                $"The Hessian of layer '{layer.Layer.Name}' is not finite: squares of its inputs exceed what float32 holds. Exclude the layer, or scale the model's inputs as it was trained.");
        }
    }

    private LayerSolution Solve(WeightLayer layer, HessianFactor[] factors, ErrorPropagation? propagation, long inputs)
    {
        var wanted = propagation?.Correct(layer, context.Threads) ?? layer;
        var (matrix, _) = Nearest(wanted);
        var rows = layer.Rows / factors.Length;
        var errors = default(GptqErrors);
        using (var reader = wanted.Open())
        {
            void Read(int firstRow, int count, Span<float> destination) => reader.Read(firstRow, count, 0, layer.Columns, destination);
            for (var group = 0; group < factors.Length; group++)
            {
                GptqSolver.Solve(factors[group], Read, matrix, group * rows, rows, context.Threads, context.Cancellation);
                errors += GptqSolver.Measure(factors[group], Read, matrix, group * rows, rows);
            }
        }

        return new(
            matrix, WeightError.Of(layer, matrix, context.Threads), errors, factors.Max(f => f.Dampening), factors.Sum(f => f.DeadColumns), inputs);
    }
}
