using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using Build.ML.Calibration;
using Build.ML.Calibration.LinearAlgebra;
using Build.ML.Calibration.Statistics;
using Build.ML.Graph.Coupling;
using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Ir;

namespace Build.ML.Pruning.Structured.Importances;

/// <summary>
/// A numerical score by Newton's method, as Shen et al. 2024 ("Numerical Pruning for Efficient Autoregressive Models", arXiv 2412.12441) propose for attention and MLP modules; the quadratic is
/// derived here from that idea and may differ from theirs in detail. The layer that reads the axis gives Σ zᵢ·cᵢ, cᵢ what position i
/// (a neuron, or all elements of a head) contributes and zᵢ its score, 1 for all at first. With Gᵢⱼ = E[cᵢ·cⱼ] = Σ E[x xᵀ]∘(W·Wᵀ) over the elements of i and j, the error of the output is (1−z)ᵀG(1−z):
/// where fewer positions are to stay, Σ z = r, one step of Newton's method from any start is at the optimum of that quadratic, z = 1 − μ·G⁻¹1, μ = (n − r)/1ᵀG⁻¹1. Its order, whatever r, is that of
/// −G⁻¹1: positions whose contributions cancel each other score low together, however
/// large they are. G is divided by the mean square of the output, so that layers can be compared. What they do besides, a closed-form
/// compensation, is <c>compensate: least_squares</c>.
/// </summary>
[Importance("newton")]
[Description("Optimal soft mask of the layer's output by one step of Newton's method, over calibration data.")]
public sealed record NewtonImportance : Importance
{
    // Hessians collected in one run over the data.
    private const long HessianBytes = 512L << 20;

    /// <summary>Added to the diagonal of G as a fraction of its mean, above 0, at most 10: how far positions count by themselves. Default 0.01.</summary>
    [Range(1e-6, 10d)]
    public double Damping { get; init; } = 0.01;

    /// <summary>Samples run together, where the model leaves that free; 1 or more. Default 8.</summary>
    [Range(1, 1 << 16)]
    public int BatchSize { get; init; } = Batching.Default;

    /// <inheritdoc/>
    /// <exception cref="DiagnosticException">BML5630: the step names no data. BML5653: an axis that no matrix product reads.</exception>
    public override IReadOnlyList<float[]> Score(ImportanceContext context)
    {
        var data = context.RequiredData("newton");
        var readers = context.Axes.Select(ReadersOf).ToArray();
        var errors = context.Axes.Zip(readers).Where(a => a.Second.Length == 0).Select(a => new Diagnostic(
            "BML5653", $"importance: newton weighs what a matrix product makes of its inputs, and no MatMul or Gemm with a constant matrix reads '{a.First.Name}'. Exclude it, or choose another importance.")).ToArray();
        if (errors.Length > 0)
        {
            throw new DiagnosticException(errors);
        }

        var scores = context.Axes.Select(a => new double[a.Size]).ToArray();
        var pending = readers.SelectMany((r, a) => r.Select(place => (Axis: a, Place: place))).ToArray();
        for (var start = 0; start < pending.Length;)
        {
            var (names, bytes, end) = (new HashSet<string>(StringComparer.Ordinal), 0L, start);
            for (; end < pending.Length && (end == start || bytes < HessianBytes); end++)
            {
                bytes += names.Add(InputOf(pending[end].Place).Name) ? HessianAccumulator.BytesFor(pending[end].Place.Layout.Size) : 0;
            }

            var seen = new CalibrationStage(context.Step).Observe(context.Model, [.. names], data, new HessianStatistic(context.Step.Threads), BatchSize);
            for (; start < end; start++)
            {
                var (axis, place) = pending[start];
                Add(place, seen[InputOf(place).Name].Matrix, context, scores[axis], readers[axis].Length);
            }

            foreach (var hessian in seen.Values)
            {
                hessian.Dispose();
            }
        }

        return [.. scores.Select(s => Array.ConvertAll(s, x => (float)x))];
    }

    private static AxisPlace[] ReadersOf(ChannelAxis axis) =>
    [
        .. axis.Places.Where(p => p.Role == AxisRole.Input && p.Constant.Constant is { Rank: 2 } tensor && FloatView.CanRead(tensor.Type) && p.Layout.IsKnown
            && p.Reader is { Domain: "", OpType: "MatMul" or "Gemm" } reader && reader.Int("transA", 0) == 0 && reader.Inputs[0] is { Constant: null }).DistinctBy(p => (p.Constant, p.Dimension)),
    ];

    private static Value InputOf(AxisPlace place) => place.Reader.Inputs[0]!;

    // Subtracts G⁻¹1 of one reader, the mean over readers.
    private unsafe void Add(AxisPlace place, FloatMatrix hessian, ImportanceContext context, double[] scores, int readers)
    {
        var threads = context.Step.Threads;
        var positions = place.ToAxisPositions();
        var size = positions.Length;
        using var gram = new FloatMatrix(size, size);
        using (var view = FloatView.Of(place.Constant.Constant!))
        {
            fixed (float* w = view.Span)
            {
                var others = place.Constant.Constant!.Count / size;
                var matrix = place.Dimension == 0 ? new MatrixView(w, size, (nint)others, (nint)others, 1) : new MatrixView(w, size, (nint)others, 1, size);
                MatrixProduct.Add(gram.View, matrix, matrix.Transposed, threads: threads);
            }
        }

        using var g = new FloatMatrix(scores.Length, scores.Length);
        var total = 0d;
        var sums = new double[scores.Length];
        var byPosition = Enumerable.Range(0, size).Where(i => positions[i] >= 0).GroupBy(i => positions[i]).OrderBy(p => p.Key);
        foreach (var elements in byPosition)
        {
            Array.Clear(sums);
            foreach (var i in elements)
            {
                var products = gram.Row(i);
                var moments = hessian.Row(i);
                for (var j = 0; j < size; j++)
                {
                    if (positions[j] >= 0)
                    {
                        sums[positions[j]] += (double)products[j] * moments[j];
                    }
                }
            }

            for (var j = 0; j < sums.Length; j++)
            {
                g[elements.Key, j] = (float)sums[j];
                total += sums[j];
            }
        }

        var solution = Solve(g, total, threads, context);
        for (var i = 0; i < scores.Length; i++)
        {
            scores[i] -= solution.Row(0)[i] / (double)readers;
        }

        solution.Dispose();
    }

    // (G/ΣG + damping·mean diagonal)⁻¹·1, more damping where rounding leaves it indefinite.
    private FloatMatrix Solve(FloatMatrix g, double total, int threads, ImportanceContext context)
    {
        var size = (int)g.Rows;
        var scale = total > 0 ? 1 / total : 1;
        double diagonal = 0;
        for (var i = 0; i < size; i++)
        {
            diagonal += g[i, i] * scale / size;
        }

        var solution = new FloatMatrix(1, size);
        for (var damping = Damping; ; damping *= 10)
        {
            using var factor = new FloatMatrix(size, size);
            for (var i = 0; i < size; i++)
            {
                for (var j = 0; j < size; j++)
                {
                    factor[i, j] = (float)((0.5 * ((double)g[i, j] + g[j, i]) * scale) + (i == j ? (damping * diagonal) + float.Epsilon : 0));
                }
            }

            solution.Row(0).Fill(1);
            if (diagonal <= 0 || Cholesky.Factor(factor.View, threads, context.Step.Cancellation) < 0)
            {
                if (diagonal > 0)
                {
                    CholeskySolution.SolveRows(factor.View, solution.View, threads, context.Step.Cancellation);
                }

                return solution;
            }
        }
    }
}
