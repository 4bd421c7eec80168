using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Build.ML.OnnxRuntime.Kernels.Convolution;

/// <summary>
/// dL/dW of a two-dimensional Conv. Inputs dL/dY [N, O, …] and X [N, C, H, W]; output [O, C/group, kernel_shape]; attributes as Conv's. Images are taken in up to eight shares, whose sums
/// are added in order: how many there are depends on sizes alone.
/// </summary>
[RuntimeKernel("ConvWeightGradient")]
internal sealed unsafe class ConvolutionWeightGradientKernel : RuntimeKernel
{
    // Floats of one run that are taken at a time: eight such runs stay in the first-level cache.
    private const int CachedRun = 768;

    // Floats that the sums of all shares may have.
    private const long SharedFloats = 4 << 20;

    private ConvolutionAttributes _attributes = null!;
    private int[] _kernel = [];

    /// <inheritdoc/>
    public override int Inputs => 2;

    /// <inheritdoc/>
    public override void Initialize(KernelAttributes attributes)
    {
        _attributes = ConvolutionAttributes.Of(attributes);
        _kernel = attributes.Ints("kernel_shape", 1, 1);
    }

    /// <inheritdoc/>
    public override void Run(KernelCall call)
    {
        var (g, x) = (call.Input(0), call.Input(1));
        var shape = new ConvolutionShape(_attributes, (x[0], x[1], x[2], x[3]), (g[1], _kernel[0], _kernel[1]), (g[2], g[3]));
        var d = call.Output(0, shape.Outputs, shape.GroupChannels, _kernel[0], _kernel[1]);
        if (shape is { GroupChannels: 1, GroupOutputs: 1 })
        {
            Depthwise(call, shape, g.Data, x.Data, d);
        }
        else
        {
            Dense(call, shape, g.Data, x.Data, d);
        }
    }

    private static void Dense(KernelCall call, ConvolutionShape shape, float* g, float* x, float* d)
    {
        var (channels, outputs, terms) = (shape.GroupChannels, shape.GroupOutputs, shape.GroupChannels * shape.Taps);
        var rows = (outputs + RunProducts.Rows - 1) / RunProducts.Rows * RunProducts.Rows;
        var triples = (terms + RunProducts.Terms - 1) / RunProducts.Terms;
        var groupSums = (long)rows * triples * RunProducts.Terms;
        var count = groupSums * shape.Group;
        var shares = (int)Math.Clamp(SharedFloats / count, Math.Min(2, shape.Batch), Math.Min(8, shape.Batch));
        var (imageFloats, gradientFloats) = (shape.ImageFloats(channels), rows * shape.PaddedSpan);
        var images = Math.Clamp(CachedRun / shape.PaddedSpan, 1, (shape.Batch + shares - 1) / shares);
        var offsets = new int[triples * RunProducts.Terms];
        shape.Offsets(channels, offsets);
        using var sums = call.Scratch.Take(count * shares);
        var partial = sums.Data;
        call.Parallel(shares, share =>
        {
            var sum = partial + (count * share);
            new Span<float>(sum, checked((int)count)).Clear();
            using var scratch = call.Scratch.Take((long)images * (imageFloats + gradientFloats));
            var end = shape.Batch * (share + 1) / shares;
            for (var n = shape.Batch * share / shares; n < end; n += images)
            {
                var taken = Math.Min(images, end - n);
                var operands = new RunProducts.Operands(
                    (nint)(scratch.Data + ((long)images * imageFloats)), gradientFloats, shape.PaddedSpan, (nint)scratch.Data, imageFloats, taken, shape.PaddedSpan);
                for (var group = 0; group < shape.Group; group++)
                {
                    for (var i = 0; i < taken; i++)
                    {
                        shape.LayOut(x + (((long)(n + i) * shape.Channels) + (group * channels)) * shape.Rows * shape.Columns, channels, (float*)operands.X + (i * imageFloats));
                        LayOutGradient(
                            shape, g + (((long)(n + i) * shape.Outputs) + (group * outputs)) * shape.OutRows * shape.OutColumns, outputs, rows,
                            (float*)operands.G + (i * gradientFloats));
                    }

                    for (var start = 0; start < shape.PaddedSpan; start += CachedRun)
                    {
                        Add(
                            operands with
                            {
                                G = operands.G + (start * sizeof(float)),
                                X = operands.X + (start * sizeof(float)),
                                Length = Math.Min(CachedRun, shape.PaddedSpan - start),
                            },
                            offsets, rows, sum + (groupSums * group));
                    }
                }
            }
        });
        for (var share = 1; share < shares; share++)
        {
            System.Numerics.Tensors.TensorPrimitives.Add(
                new ReadOnlySpan<float>(partial, (int)count), new ReadOnlySpan<float>(partial + (count * share), (int)count), new Span<float>(partial, (int)count));
        }

        for (var o = 0; o < shape.Outputs; o++)
        {
            // Sums lie as [group][outputs/8][terms/3][8][3].
            var row = partial + (groupSums * (o / outputs)) + ((long)(o % outputs / RunProducts.Rows) * triples * RunProducts.Sums) + (o % outputs % RunProducts.Rows * RunProducts.Terms);
            for (var j = 0; j < terms; j++)
            {
                *d++ = row[(j / RunProducts.Terms * RunProducts.Sums) + (j % RunProducts.Terms)];
            }
        }
    }

    private static void Add(in RunProducts.Operands operands, int[] offsets, int rows, float* sums)
    {
        fixed (int* offset = offsets)
        {
            for (var o = 0; o < rows; o += RunProducts.Rows)
            {
                var of = operands with { G = operands.G + ((nint)o * operands.Pitch * sizeof(float)) };
                for (var j = 0; j < offsets.Length; j += RunProducts.Terms, sums += RunProducts.Sums)
                {
                    RunProducts.Add(of, offset + j, sums);
                }
            }
        }
    }

    // Rows as far apart as the image's, zeros between and behind them, and for outputs up to a multiple of eight.
    private static void LayOutGradient(ConvolutionShape shape, float* g, int outputs, int rows, float* runs)
    {
        for (var o = 0; o < rows; o++, runs += shape.PaddedSpan)
        {
            var run = new Span<float>(runs, shape.PaddedSpan);
            if (o >= outputs)
            {
                run.Clear();
                continue;
            }

            for (var row = 0; row < shape.OutRows; row++, g += shape.OutColumns)
            {
                new ReadOnlySpan<float>(g, shape.OutColumns).CopyTo(run);
                run = run[shape.OutColumns..];
                var between = Math.Min(run.Length, row + 1 < shape.OutRows ? shape.Pitch - shape.OutColumns : run.Length);
                run[..between].Clear();
                run = run[between..];
            }
        }
    }

    private static void Depthwise(KernelCall call, ConvolutionShape shape, float* g, float* x, float* d)
    {
        var offsets = new int[shape.Taps];
        shape.Offsets(1, offsets);
        var parts = Math.Min(shape.Channels, 16);
        call.Parallel(parts, part =>
        {
            using var scratch = call.Scratch.Take(shape.ImageFloats(1) + shape.PaddedSpan + (8L * shape.Taps));
            var plane = scratch.Data;
            var run = scratch.Data + shape.ImageFloats(1);
            var sums = run + shape.PaddedSpan;
            fixed (int* offset = offsets)
            {
                for (var c = shape.Channels * part / parts; c < shape.Channels * (part + 1) / parts; c++)
                {
                    new Span<float>(sums, 8 * shape.Taps).Clear();
                    for (var n = 0; n < shape.Batch; n++)
                    {
                        var image = ((long)n * shape.Channels) + c;
                        shape.LayOut(x + (image * shape.Rows * shape.Columns), 1, plane);
                        LayOutGradient(shape, g + (image * shape.OutRows * shape.OutColumns), 1, 1, run);
                        ShiftedSum.AddProducts(run, plane, offset, shape.Taps, sums, shape.PaddedSpan);
                    }

                    var lanes = MemoryMarshal.Cast<float, Vector256<float>>(new ReadOnlySpan<float>(sums, 8 * shape.Taps));
                    for (var tap = 0; tap < shape.Taps; tap++)
                    {
                        d[(c * shape.Taps) + tap] = RunProducts.Sum(lanes[tap]);
                    }
                }
            }
        });
    }
}
