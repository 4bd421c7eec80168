namespace Build.ML.OnnxRuntime.Kernels.Convolution;

/// <summary>
/// Conv of two-dimensional images with weights that change from run to run. Inputs X [N, C, H, W], W [O, C/group, …] and optionally B [O]; attributes as ONNX's Conv without auto_pad.
/// </summary>
[RuntimeKernel("Conv")]
internal sealed unsafe class ConvolutionKernel : RuntimeKernel
{
    private ConvolutionAttributes _attributes = null!;

    /// <inheritdoc/>
    public override int Inputs => 2;

    /// <inheritdoc/>
    public override int OptionalInputs => 1;

    /// <inheritdoc/>
    public override void Initialize(KernelAttributes attributes) => _attributes = ConvolutionAttributes.Of(attributes);

    /// <inheritdoc/>
    public override void Run(KernelCall call)
    {
        var x = call.Input(0);
        var w = call.Input(1);
        var bias = call.Input(2).Data;
        int Windows(int axis) => ((x[axis + 2] + _attributes.Pads[axis] + _attributes.Pads[axis + 2]
            - ((w[axis + 2] - 1) * _attributes.Dilations[axis]) - 1) / _attributes.Strides[axis]) + 1;
        var shape = new ConvolutionShape(_attributes, x, w, Windows(0), Windows(1));
        var y = call.Output(0, shape.Batch, shape.Outputs, shape.OutRows, shape.OutColumns);
        if (shape is { GroupChannels: 1, GroupOutputs: 1 })
        {
            Depthwise(call, shape, x.Data, w.Data, bias, y);
        }
        else
        {
            Dense(call, shape, x.Data, w.Data, bias, y);
        }
    }

    private static void Dense(KernelCall call, ConvolutionShape shape, float* x, float* w, float* bias, float* y)
    {
        var (group, outputs, channels, terms) = (shape.Group, shape.GroupOutputs, shape.GroupChannels, shape.GroupChannels * shape.Taps);
        using var weights = call.Scratch.Take(PackedWeights.Floats(outputs, terms) * group);
        for (var g = 0; g < group; g++)
        {
            PackedWeights.Pack(w + ((long)g * outputs * terms), outputs, terms, weights.Data + (PackedWeights.Floats(outputs, terms) * g));
        }

        var offsets = new int[terms];
        shape.Offsets(channels, offsets);
        var packed = weights.Data;
        var parts = Math.Min(shape.Batch, 16);
        call.Parallel(parts, part =>
        {
            using var scratch = call.Scratch.Take(shape.ImageFloats(channels) + (ShiftedSums.Rows * shape.PaddedSpan));
            var planes = scratch.Data;
            var runs = scratch.Data + shape.ImageFloats(channels);
            fixed (int* offset = offsets)
            {
                for (var n = shape.Batch * part / parts; n < shape.Batch * (part + 1) / parts; n++)
                {
                    for (var g = 0; g < group; g++)
                    {
                        shape.LayOut(x + (((long)n * shape.Channels) + (g * channels)) * shape.Rows * shape.Columns, channels, planes);
                        for (var o = 0; o < outputs; o += ShiftedSums.Rows)
                        {
                            ShiftedSums.Compute(
                                planes, offset, terms, packed + (PackedWeights.Floats(outputs, terms) * g) + ((long)o * terms), runs, shape.PaddedSpan);
                            for (var r = 0; r < Math.Min(ShiftedSums.Rows, outputs - o); r++)
                            {
                                var output = (g * outputs) + o + r;
                                Store(shape, runs + (r * shape.PaddedSpan), bias == null ? 0 : bias[output], y + (((long)n * shape.Outputs) + output) * shape.OutRows * shape.OutColumns);
                            }
                        }
                    }
                }
            }
        });
    }

    private static void Depthwise(KernelCall call, ConvolutionShape shape, float* x, float* w, float* bias, float* y)
    {
        var offsets = new int[shape.Taps];
        shape.Offsets(1, offsets);
        var planesInAll = (long)shape.Batch * shape.Channels;
        var parts = (int)Math.Min(planesInAll, 16);
        call.Parallel(parts, part =>
        {
            using var scratch = call.Scratch.Take(shape.ImageFloats(1) + shape.PaddedSpan);
            var planes = scratch.Data;
            var run = scratch.Data + shape.ImageFloats(1);
            fixed (int* offset = offsets)
            {
                for (var i = planesInAll * part / parts; i < planesInAll * (part + 1) / parts; i++)
                {
                    var channel = i % shape.Channels;
                    shape.LayOut(x + (i * shape.Rows * shape.Columns), 1, planes);
                    ShiftedSum.Compute(planes, offset, shape.Taps, w + (channel * shape.Taps), run, shape.PaddedSpan);
                    Store(shape, run, bias == null ? 0 : bias[channel], y + (i * shape.OutRows * shape.OutColumns));
                }
            }
        });
    }

    // Rows without what lies between them.
    private static void Store(ConvolutionShape shape, float* run, float bias, float* y)
    {
        for (var row = 0; row < shape.OutRows; row++, run += shape.Pitch, y += shape.OutColumns)
        {
            var from = new ReadOnlySpan<float>(run, shape.OutColumns);
            var to = new Span<float>(y, shape.OutColumns);
            if (bias == 0)
            {
                from.CopyTo(to);
            }
            else
            {
                System.Numerics.Tensors.TensorPrimitives.Add(from, bias, to);
            }
        }
    }
}
