using System.Diagnostics;
using System.Globalization;
using Build.ML.Abstractions.Data;
using Build.ML.Abstractions.Techniques;
using Build.ML.Calibration.LinearAlgebra;
using Build.ML.Graph;
using Build.ML.Graph.Diagnostics;

namespace Build.ML.Quantization.Gptq;

/// <summary>What a step will take, said before it starts: a run of hours that ends for want of memory or disk helps nobody.</summary>
internal sealed class GptqPreflight
{
    // The program itself, the runtime and its arenas.
    private const long Base = 400L << 20;

    // StreamedExecution holds this much of activations in memory and of weights in a session; what is beyond goes to files.
    private const long ActivationsInMemory = 512L << 20;
    private const long WeightsInMemory = 256L << 20;

    private readonly double[] _operations;

    /// <summary>Estimates.</summary>
    /// <param name="model">The model.</param>
    /// <param name="groups">What is to be solved.</param>
    /// <param name="format">Of the solutions.</param>
    /// <param name="data">Calibration data: its first sample tells sizes that the model leaves open.</param>
    /// <param name="threads">Cores to use.</param>
    public GptqPreflight(Model model, IReadOnlyList<HessianGroup> groups, Blocks.BlockFormat format, DataSet data, int threads)
    {
        var sizes = new InputSizes(model, data);
        _operations = new double[groups.Count];
        long activations = 0, largest = 0, widest = 0;
        for (var i = 0; i < groups.Count; i++)
        {
            var group = groups[i];
            double columns = group.Columns;
            var inputs = sizes.Rows(group) * data.Count;
            var rows = group.Layers.Sum(l => (double)l.Layer.Rows);

            // Multiply-adds: half a product of inputs, K³/3 to factor over two for the symmetry, half a product of rows.
            _operations[i] = group.Hessians * (inputs * columns * columns / 2 + columns * columns * columns / 6) + rows * columns * columns / 2;
            activations = Math.Max(activations, (long)(inputs * group.Columns * sizeof(float)));
            var solution = group.Layers.Max(l => (long)l.Layer.Rows * l.Layer.Columns);
            var hessian = group.Hessians * (HessianAccumulator.BytesFor(group.Columns) + GptqFactor.BytesFor(group.Columns));
            largest = Math.Max(largest, hessian + solution + threads * GptqTile.BytesFor(group.Columns, format.Blocks(group.Columns)));
            widest = Math.Max(widest, group.Layers.Max(l => l.Layer.ByteLength));
            Disk += group.Layers.Sum(l => (long)(format.EffectiveBits(l.Layer.Columns) / 8 * l.Layer.Rows * l.Layer.Columns)) * 2;
        }

        Operations = _operations.Sum();
        Memory = Base + largest + Math.Min(2 * activations, ActivationsInMemory) + Math.Max(WeightsInMemory, 2 * widest);
        Disk += Math.Max(0, 2 * activations - ActivationsInMemory);
    }

    /// <summary>Multiply-adds in all.</summary>
    public double Operations { get; }

    /// <summary>Bytes of memory at the peak.</summary>
    public long Memory { get; }

    /// <summary>Bytes of scratch files and checkpoints.</summary>
    public long Disk { get; }

    /// <summary>The part of the work that is done when <paramref name="groups"/> groups are.</summary>
    public double Fraction(int groups) => Operations > 0 ? _operations.AsSpan(0, groups).ToArray().Sum() / Operations : 1;

    /// <summary>Says what the step takes, and stops it where that cannot be had.</summary>
    /// <param name="layers">Layers to solve.</param>
    /// <param name="context">Where to say it; scratch folder.</param>
    /// <exception cref="DiagnosticException">BML5421: memory. BML5422: disk.</exception>
    public void Check(int layers, StepContext context)
    {
        var memory = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
        var errors = new List<Diagnostic>();
        if (Memory > memory)
        {
            errors.Add(new("BML5421", Say(
                $"GPTQ of the widest layer takes about {Memory / 1e9:0.0} GB of memory, this machine has {memory / 1e9:0.0} GB. Exclude the widest layers, or use quantize.weights, which needs no Hessian.")));
        }

        var free = new DriveInfo(Path.GetFullPath(context.ScratchDirectory)).AvailableFreeSpace;
        if (Disk > free)
        {
            errors.Add(new("BML5422", Say(
                $"GPTQ writes about {Disk / 1e9:0.0} GB of scratch files and checkpoints, the disk has {free / 1e9:0.0} GB left. Free some, use fewer samples, or move the work folder.")));
        }

        if (errors.Count > 0)
        {
            throw new DiagnosticException(errors);
        }

        var time = TimeSpan.FromSeconds(Math.Ceiling(Operations / Speed(context.Threads)));
        context.Report(new(
            "BML5420",
            Say($"GPTQ of {layers} layers: about {time} and the model's own run over the data, {Memory / 1e9:0.0} GB of memory at the peak, {Disk / 1e9:0.0} GB of disk."),
            Severity: Severity.Info));
    }

    private static string Say(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);

    // Multiply-adds a second, measured for a moment.
    private static double Speed(int threads)
    {
        const int Size = 768;
        using var x = new FloatMatrix(Size, Size);
        using var product = new FloatMatrix(Size, Size);
        MatrixProduct.Add(product.View, x.View, x.View, threads: threads);
        var start = Stopwatch.GetTimestamp();
        MatrixProduct.Add(product.View, x.View, x.View, threads: threads);
        return (double)Size * Size * Size / Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    /// <summary>How many inputs a layer sees for one sample.</summary>
    private sealed class InputSizes
    {
        private readonly Dictionary<string, long> _symbols = new(StringComparer.Ordinal);
        private readonly double _otherwise = 1;

        public InputSizes(Model model, DataSet data)
        {
            if (data.Count == 0)
            {
                return;
            }

            foreach (var (name, tensor) in data[0].Inputs)
            {
                var input = name.Length == 0 ? model.Graph.Inputs[0] : model.Graph.Find(name);
                _otherwise = Math.Max(_otherwise, tensor.Count);
                for (var axis = 0; input?.Shape is { } shape && axis + 1 < shape.Rank && axis < tensor.Rank; axis++)
                {
                    if (shape[axis + 1].Symbol is { } symbol)
                    {
                        _symbols[symbol] = tensor.Sizes[axis]; // a sample lacks the batch axis
                    }
                }
            }
        }

        /// <summary>From the activation's shape; where that is not known as many as the largest input has elements.</summary>
        public double Rows(HessianGroup group)
        {
            if (group.Activation.Shape is not { Rank: > 0 } shape)
            {
                return _otherwise;
            }

            // Without the batch axis, and the axis that is summed over: the last of a product's input, the first after the batch of a convolution's.
            var summed = group.Convolution is null ? shape.Rank - 1 : 1;
            var rows = 1d;
            for (var axis = 1; axis < shape.Rank; axis++)
            {
                if (axis != summed)
                {
                    var size = shape[axis].Size ?? (shape[axis].Symbol is { } symbol && _symbols.TryGetValue(symbol, out var known) ? known : -1);
                    if (size < 0)
                    {
                        return _otherwise;
                    }

                    rows *= size;
                }
            }

            return rows;
        }
    }
}
