using System.Numerics.Tensors;
using Build.ML.Calibration.Layers;
using Build.ML.Calibration.LinearAlgebra;
using Build.ML.Quantization.Blocks;

namespace Build.ML.Quantization.Rotation;

/// <summary>What a search varies: rotations of streams and of value heads, and scales of groups' inputs. All leave the function of the model as it is.</summary>
/// <param name="Streams">Row-major orthogonal matrices.</param>
/// <param name="Heads">For each attention the matrices of its value heads.</param>
/// <param name="Scales">For each group the scales of its channels, or null where it takes none.</param>
internal sealed record Transforms(float[][] Streams, float[][][] Heads, float[]?[] Scales);

/// <summary>A linear layer as the search sees it: W [rows, columns], outputs by inputs, before any rotation.</summary>
/// <param name="Weights">Row-major.</param>
/// <param name="Columns">Inputs.</param>
/// <param name="Group">Which group's inputs it reads.</param>
/// <param name="Weight">What its error counts.</param>
/// <param name="Format">How it will be rounded.</param>
internal sealed record SearchLayer(float[] Weights, int Columns, int Group, double Weight, BlockFormat Format)
{
    /// <summary>Which stream it reads, or −1.</summary>
    public int StreamIn { get; init; } = -1;

    /// <summary>Which stream it writes, or −1.</summary>
    public int StreamOut { get; init; } = -1;

    /// <summary>Which attention's values it reads, or −1.</summary>
    public int HeadsIn { get; init; } = -1;

    /// <summary>Which attention's values it makes, or −1.</summary>
    public int HeadsOut { get; init; } = -1;

    /// <summary>Outputs.</summary>
    public int Rows => Weights.Length / Columns;
}

/// <summary>
/// The error that rounding to nearest makes in the outputs of all layers, Σ c·tr(E·H′·Eᵀ) with E = Q(W′·s)/s − W′, W′ = Lᵀ·W·B and H′ = Bᵀ·H·B, and its gradient with respect to the transforms. As in
/// SpinQuant (Liu et al. 2024, arXiv 2405.16406) rounding is differentiated straight through: Q(u) = u + δ·Δ with the rounding errors δ held fixed, so that only the step Δ of each block, which its
/// extremes set, and the place of the errors in the input space move. Scales beside rotations are OSTQuant's (Hu et al. 2025, arXiv 2501.13987); the objective here is each layer's output, not the model's.
/// </summary>
internal sealed class RotationSearch(IReadOnlyList<SearchLayer> layers, IReadOnlyList<FloatMatrix> hessians, IReadOnlyList<int[]> headOfReader, IReadOnlyList<int[]> headOfMaker, int threads)
{
    /// <summary>The error and its gradient.</summary>
    /// <param name="at">Where.</param>
    /// <param name="gradient">Arrays like those of <paramref name="at"/>, overwritten (of scales: with respect to their logarithms); null to compute the error only.</param>
    public double Error(Transforms at, Transforms? gradient)
    {
        if (gradient is not null)
        {
            Clear(gradient);
        }

        var parts = new (double Error, Transforms? Gradient)[layers.Count];
        Parallel.For(0, layers.Count, new ParallelOptions { MaxDegreeOfParallelism = Math.Max(threads, 1) }, i =>
        {
            var own = gradient is null ? null : Empty(at, layers[i]);
            parts[i] = (Layer(layers[i], at, own), own);
        });
        var total = 0d;
        for (var i = 0; i < parts.Length; i++)
        {
            total += parts[i].Error;
            if (gradient is not null)
            {
                Add(gradient, parts[i].Gradient!, layers[i]);
            }
        }

        return total;
    }

    private BlockRotation? Input(SearchLayer layer, Transforms at) => layer.StreamIn >= 0 ? new(Side(at.Streams[layer.StreamIn]), [at.Streams[layer.StreamIn]])
        : layer.HeadsIn >= 0 ? new(Side(at.Heads[layer.HeadsIn][0]), [.. headOfReader[layer.HeadsIn].Select(h => at.Heads[layer.HeadsIn][h])]) : null;

    private BlockRotation? Output(SearchLayer layer, Transforms at) => layer.StreamOut >= 0 ? new(Side(at.Streams[layer.StreamOut]), [at.Streams[layer.StreamOut]])
        : layer.HeadsOut >= 0 ? new(Side(at.Heads[layer.HeadsOut][0]), [.. headOfMaker[layer.HeadsOut].Select(h => h < 0 ? null : at.Heads[layer.HeadsOut][h])]) : null;

    private double Layer(SearchLayer layer, Transforms at, Transforms? gradient)
    {
        var (rows, columns) = (layer.Rows, layer.Columns);
        var input = Input(layer, at);
        var output = Output(layer, at);
        var right = (float[])layer.Weights.Clone(); // W·B
        input?.Columns(right, columns, 1);
        var w = (float[])right.Clone(); // LᵀWB
        output?.Rows(w, columns, 1);
        var h = Rotated(hessians[layer.Group], input, columns);
        var scales = at.Scales[layer.Group];
        var rounding = new StraightRounding(layer.Format, w, columns, scales);
        var e = rounding.Errors;
        var eh = Product(e, rows, columns, h, columns);
        var c = layer.Weight;
        var error = c * TensorPrimitives.Dot<float>(eh, e);
        if (gradient is null)
        {
            return error;
        }

        TensorPrimitives.Multiply(eh, (float)(2 * c), eh); // ∂/∂E
        var dw = rounding.Backward(eh, gradient.Scales[layer.Group]);
        if (input is not null)
        {
            // Of H′ = BᵀHB: 2·H·B·(EᵀE); of W′ = LᵀWB: Wᵀ·L·dW.
            var gram = Product(Transposed(e, columns), columns, rows, e, columns);
            var hb = Copy(hessians[layer.Group]);
            input.Columns(hb, columns, 1);
            var db = Product(hb, columns, columns, gram, columns);
            TensorPrimitives.Multiply(db, (float)(2 * c), db);
            var left = (float[])layer.Weights.Clone();
            output?.Rows(left, columns, 1);
            var more = Product(Transposed(left, columns), columns, rows, dw, columns);
            TensorPrimitives.Add<float>(db, more, db);
            AddBlocks(db, columns, input.Size, layer.StreamIn >= 0 ? [0] : headOfReader[layer.HeadsIn], layer.StreamIn >= 0 ? [gradient.Streams[layer.StreamIn]] : gradient.Heads[layer.HeadsIn]);
        }

        if (output is not null)
        {
            var dl = Product(right, rows, columns, Transposed(dw, columns), rows); // (W·B)·dWᵀ
            AddBlocks(dl, rows, output.Size, layer.StreamOut >= 0 ? [0] : headOfMaker[layer.HeadsOut], layer.StreamOut >= 0 ? [gradient.Streams[layer.StreamOut]] : gradient.Heads[layer.HeadsOut]);
        }

        return error;
    }

    private static float[] Rotated(FloatMatrix hessian, BlockRotation? rotation, int n)
    {
        var h = Copy(hessian);
        rotation?.Columns(h, n, 1);
        rotation?.Rows(h, n, 1);
        return h;
    }

    private static float[] Copy(FloatMatrix matrix)
    {
        var columns = (int)matrix.Columns;
        var copy = new float[matrix.Rows * columns];
        for (var row = 0; row < matrix.Rows; row++)
        {
            matrix.Row(row).CopyTo(copy.AsSpan(row * columns));
        }

        return copy;
    }

    private static unsafe float[] Product(float[] a, int rows, int depth, float[] b, int columns)
    {
        var c = new float[rows * columns];
        fixed (float* x = a, y = b, z = c)
        {
            MatrixProduct.Add(new(z, rows, columns, columns, 1), new MatrixView(x, rows, depth, depth, 1), new MatrixView(y, depth, columns, columns, 1));
        }

        return c;
    }

    private static float[] Transposed(float[] x, int columns)
    {
        var rows = x.Length / columns;
        var turned = new float[x.Length];
        Transposition.Turn(x, rows, columns, columns, turned, rows);
        return turned;
    }

    private static void AddBlocks(float[] from, int stride, int size, IReadOnlyList<int> headOf, float[][] to)
    {
        for (var b = 0; b < headOf.Count; b++)
        {
            if (headOf[b] < 0)
            {
                continue;
            }

            for (var i = 0; i < size; i++)
            {
                var target = to[headOf[b]].AsSpan(i * size, size);
                TensorPrimitives.Add(target, from.AsSpan((b * size + i) * stride + b * size, size), target);
            }
        }
    }

    // Only what the layer touches exists.
    private static Transforms Empty(Transforms at, SearchLayer layer) => new(
        [.. at.Streams.Select((s, i) => new float[i == layer.StreamIn || i == layer.StreamOut ? s.Length : 0])],
        [.. at.Heads.Select((a, i) => a.Select(h => new float[i == layer.HeadsIn || i == layer.HeadsOut ? h.Length : 0]).ToArray())],
        [.. at.Scales.Select((s, i) => i == layer.Group && s is not null ? new float[s.Length] : null)]);

    private static void Add(Transforms to, Transforms from, SearchLayer layer)
    {
        Sum(to.Streams, from.Streams);
        for (var i = 0; i < to.Heads.Length; i++)
        {
            Sum(to.Heads[i], from.Heads[i]);
        }

        if (to.Scales[layer.Group] is { } scales)
        {
            TensorPrimitives.Add<float>(scales, from.Scales[layer.Group]!, scales);
        }
    }

    private static void Sum(float[][] to, float[][] from)
    {
        for (var i = 0; i < to.Length; i++)
        {
            if (from[i].Length > 0)
            {
                TensorPrimitives.Add<float>(to[i], from[i], to[i]);
            }
        }
    }

    private static void Clear(Transforms transforms)
    {
        foreach (var array in transforms.Streams.Concat(transforms.Heads.SelectMany(h => h)).Concat(transforms.Scales))
        {
            array?.AsSpan().Clear();
        }
    }

    private static int Side(float[] square) => (int)Math.Round(Math.Sqrt(square.Length));
}
