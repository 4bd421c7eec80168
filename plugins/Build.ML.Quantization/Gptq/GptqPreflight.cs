using System.Diagnostics;
using System.Globalization;
using Build.ML.Abstractions.Data;
using Build.ML.Abstractions.Techniques;
using Build.ML.Calibration.Hessians;
using Build.ML.Calibration.LinearAlgebra;
using Build.ML.Graph;
using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Shapes;

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
    private readonly bool _isLeast; // some sizes are not known beforehand

    /// <summary>Estimates.</summary>
    /// <param name="model">The model.</param>
    /// <param name="groups">What is to be solved.</param>
    /// <param name="options">Format of the solutions; whether the unquantized model runs too.</param>
    /// <param name="data">Calibration data: its first sample tells sizes that the model leaves open.</param>
    /// <param name="threads">Cores to use.</param>
    public GptqPreflight(Model model, IReadOnlyList<InputGroup> groups, GptqQuantization.Options options, DataSet data, int threads)
    {
        var format = options.Format;
        var propagates = options.Strength > 0;
        var sizes = new SampleSizes(model, data);
        _operations = new double[groups.Count];
        long activations = 0, largest = 0, widest = 0;
        for (var i = 0; i < groups.Count; i++)
        {
            var group = groups[i];
            double columns = group.Columns;
            var inputs = sizes.Rows(group) * data.Count;
            _isLeast |= inputs == 0;
            var rows = group.Layers.Sum(l => (double)l.Layer.Rows);

            // Multiply-adds: half a product of inputs, K³/3 to factor over two for the symmetry, half a product of rows.
            _operations[i] = group.Hessians * (inputs * columns * columns / 2 + columns * columns * columns / 6) + rows * columns * columns / 2;
            if (propagates)
            {
                // A whole product of inputs, another factor, K systems of K unknowns, and a product of rows.
                _operations[i] += group.Hessians * (inputs * columns * columns + columns * columns * columns * 7 / 6) + rows * columns * columns;
            }

            activations = Math.Max(activations, (long)(sizes.Bytes(group) * data.Count));
            var solution = group.Layers.Max(l => (long)l.Layer.Rows * l.Layer.Columns);
            var hessian = group.Hessians * (HessianAccumulator.BytesFor(group.Columns) + HessianFactor.BytesFor(group.Columns));
            if (propagates)
            {
                hessian += group.Hessians * DriftAccumulator.BytesFor(group.Columns) + ErrorPropagation.BytesFor(group.Layers.Max(l => (long)l.Layer.Rows), group.Columns);
            }

            largest = Math.Max(largest, hessian + solution + threads * GptqTile.BytesFor(group.Columns, format.Blocks(group.Columns)));
            widest = Math.Max(widest, group.Layers.Max(l => l.Layer.ByteLength));
            Disk += group.Layers.Sum(l => (long)(format.EffectiveBits(l.Layer.Columns) / 8 * l.Layer.Rows * l.Layer.Columns)) * 2;
        }

        Operations = _operations.Sum();
        var runs = propagates ? 2 : 1; // of the model
        Memory = Base + largest + runs * Math.Min(2 * activations, ActivationsInMemory) + Math.Max(WeightsInMemory, 2 * widest);
        Disk += runs * Math.Max(0, 2 * activations - ActivationsInMemory);
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
    /// <param name="pending">Groups to solve: all but those that a step that was killed has solved.</param>
    /// <param name="context">Where to say it; scratch folder.</param>
    /// <exception cref="DiagnosticException">BML5421: memory. BML5422: disk.</exception>
    public void Check(int layers, IReadOnlyList<int> pending, StepContext context)
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

        var time = TimeSpan.FromSeconds(Math.Ceiling(pending.Sum(i => _operations[i]) / Speed(context.Threads)));
        context.Report(new(
            "BML5420",
            Say($"GPTQ of {layers} layers: {(_isLeast ? "at least" : "about")} {time} and the model's own run over the data, {Memory / 1e9:0.0} GB of memory at the peak, {Disk / 1e9:0.0} GB of disk."),
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

    /// <summary>Sizes of activations when one sample runs.</summary>
    private sealed class SampleSizes
    {
        private readonly Dictionary<string, long[]> _sizes = new(StringComparer.Ordinal);

        /// <summary>Infers the shapes of the main graph from those of the first sample.</summary>
        public SampleSizes(Model model, DataSet data)
        {
            if (data.Count == 0)
            {
                return; // an error of the calibration, with its own words
            }

            using var fed = model.Clone();
            foreach (var (name, tensor) in data[0].AsBatch().Inputs)
            {
                if ((name.Length == 0 ? fed.Graph.Inputs.FirstOrDefault(i => i.Initializer is null) : fed.Graph.Find(name)) is { } input)
                {
                    input.Type = new TensorType(tensor.Type, Shape.Of(tensor.Sizes.AsSpan()));
                }
            }

            foreach (var (value, type) in ShapeInference.Infer(fed, useDeclared: false).Types)
            {
                if (value.Graph == fed.Graph && type is TensorType { Shape: { IsStatic: true } shape })
                {
                    _sizes[value.Name] = shape.ToSizes()!;
                }
            }
        }

        /// <summary>Rows that a group's layers multiply: all but the last size of a product's input, positions of a convolution's output. 0 where shapes are not known beforehand.</summary>
        public double Rows(InputGroup group)
        {
            if (group.Convolution is null)
            {
                return _sizes.GetValueOrDefault(group.Activation.Name) is { Length: > 0 } sizes ? Elements(sizes.AsSpan(..^1)) : 0;
            }

            return _sizes.GetValueOrDefault(group.Layers[0].Layer.Node.Outputs[0].Name) is { Length: > 2 } output ? output[0] * Elements(output.AsSpan(2..)) : 0;
        }

        /// <summary>Bytes of what the layers read, as float.</summary>
        public double Bytes(InputGroup group) => sizeof(float) * Elements(_sizes.GetValueOrDefault(group.Activation.Name) ?? [0]);

        private static double Elements(ReadOnlySpan<long> sizes)
        {
            var product = 1d;
            foreach (var size in sizes)
            {
                product *= size;
            }

            return product;
        }
    }
}
