using System.Collections.Immutable;
using Build.ML.Graph.Ir;

namespace Build.ML.Calibration;

/// <summary>
/// A convolution seen as a matrix product: each output position of each group reads one row of inputs/group · kernel numbers (zeros in the padding), in the order of the
/// weight [outputs, inputs/group, kernel…], so that y = W·row (+ bias). One and two spatial dimensions. Geometry as ONNX's Conv defines it.
/// </summary>
public sealed class Im2Col
{
    private readonly int _inputs;
    private readonly int _height;
    private readonly int _width;
    private readonly (int Height, int Width) _kernel;
    private readonly (int Height, int Width) _stride;
    private readonly (int Height, int Width) _dilation;
    private readonly (int Top, int Left) _pad;

    private Im2Col(
        int groups, int inputs, (int, int) size, (int, int) kernel, (int, int) stride, (int, int) dilation, (int, int) padBegin, (int, int) outputs)
    {
        (Groups, _inputs, (_height, _width), _kernel, _stride, _dilation, _pad) = (groups, inputs / groups, size, kernel, stride, dilation, padBegin);
        (OutputHeight, OutputWidth) = outputs;
    }

    /// <summary>Groups of channels that do not see each other.</summary>
    public int Groups { get; }

    /// <summary>Rows of the output image; 1 for one spatial dimension.</summary>
    public int OutputHeight { get; }

    /// <summary>Columns of the output image.</summary>
    public int OutputWidth { get; }

    /// <summary>Output positions of one image.</summary>
    public int Positions => OutputHeight * OutputWidth;

    /// <summary>Length of a row: inputs/group · kernel.</summary>
    public int Columns => _inputs * _kernel.Height * _kernel.Width;

    /// <summary>Numbers of one image: channels · height · width.</summary>
    public int ImageLength => Groups * _inputs * _height * _width;

    /// <summary>Whether a convolution can be seen so: one or two spatial dimensions.</summary>
    public static bool Supports(Node conv) => conv.OpType == "Conv" && conv.Input(1)?.Constant is { Rank: 3 or 4 };

    /// <summary>The geometry of a convolution of images of one size.</summary>
    /// <param name="conv">A Conv node with a constant weight that <see cref="Supports"/> holds for.</param>
    /// <param name="sizes">Sizes of its input: [n, channels, (height,) width].</param>
    public static Im2Col Of(Node conv, ReadOnlySpan<long> sizes)
    {
        ArgumentNullException.ThrowIfNull(conv);
        var weight = conv.Inputs[1]!.Constant!.Sizes;
        if (!Supports(conv) || sizes.Length != weight.Length)
        {
            throw new ArgumentException($"{conv.DisplayName} has a weight of {weight.Length} dimensions and an input of {sizes.Length}; expected 3 or 4 of both.", nameof(conv));
        }

        var spatial = weight.Length - 2;
        Span<int> size = [1, 1], kernel = [1, 1], stride = [1, 1], dilation = [1, 1], begin = [0, 0], output = [1, 1];
        var autoPad = conv.String("auto_pad", "NOTSET");
        for (var d = 0; d < spatial; d++)
        {
            var to = d + 2 - spatial; // one dimension is a width
            size[to] = (int)sizes[d + 2];
            kernel[to] = (int)weight[d + 2];
            stride[to] = At(conv.Ints("strides"), d, 1);
            dilation[to] = At(conv.Ints("dilations"), d, 1);
            var reach = (kernel[to] - 1) * dilation[to] + 1;
            int before, after;
            if (autoPad is "SAME_UPPER" or "SAME_LOWER")
            {
                var wanted = (size[to] + stride[to] - 1) / stride[to];
                var both = Math.Max((wanted - 1) * stride[to] + reach - size[to], 0);
                before = autoPad == "SAME_UPPER" ? both / 2 : both - both / 2;
                after = both - before;
            }
            else
            {
                before = autoPad == "VALID" ? 0 : At(conv.Ints("pads"), d, 0);
                after = autoPad == "VALID" ? 0 : At(conv.Ints("pads"), d + spatial, 0);
            }

            begin[to] = before;
            output[to] = (size[to] + before + after - reach) / stride[to] + 1;
        }

        return new(
            (int)conv.Int("group", 1), (int)sizes[1], (size[0], size[1]), (kernel[0], kernel[1]), (stride[0], stride[1]), (dilation[0], dilation[1]),
            (begin[0], begin[1]), (output[0], output[1]));
    }

    /// <summary>Writes the row of one output position.</summary>
    /// <param name="image">One image [channels, height, width].</param>
    /// <param name="group">0 to <see cref="Groups"/> − 1.</param>
    /// <param name="position">0 to <see cref="Positions"/> − 1, row by row.</param>
    /// <param name="row"><see cref="Columns"/> numbers to fill.</param>
    public void Row(ReadOnlySpan<float> image, int group, int position, Span<float> row)
    {
        var top = position / OutputWidth * _stride.Height - _pad.Top;
        var left = position % OutputWidth * _stride.Width - _pad.Left;
        var to = 0;
        for (var channel = group * _inputs; channel < (group + 1) * _inputs; channel++)
        {
            for (var i = 0; i < _kernel.Height; i++)
            {
                var y = top + i * _dilation.Height;
                var start = (channel * _height + y) * _width;
                for (var j = 0; j < _kernel.Width; j++)
                {
                    var x = left + j * _dilation.Width;
                    row[to++] = (uint)y < (uint)_height && (uint)x < (uint)_width ? image[start + x] : 0;
                }
            }
        }
    }

    /// <summary>Adds the rows of all output positions of a group to <paramref name="sum"/>.</summary>
    /// <param name="image">One image [channels, height, width].</param>
    /// <param name="group">0 to <see cref="Groups"/> − 1.</param>
    /// <param name="sum"><see cref="Columns"/> sums to add to.</param>
    public void AddRows(ReadOnlySpan<float> image, int group, Span<double> sum)
    {
        var to = 0;
        for (var channel = group * _inputs; channel < (group + 1) * _inputs; channel++)
        {
            for (var i = 0; i < _kernel.Height; i++)
            {
                for (var j = 0; j < _kernel.Width; j++)
                {
                    sum[to++] += SumOfTap(image, channel, i, j);
                }
            }
        }
    }

    private double SumOfTap(ReadOnlySpan<float> image, int channel, int i, int j)
    {
        // Output columns whose tap lies inside the image.
        var offset = j * _dilation.Width - _pad.Left;
        var first = offset >= 0 ? 0 : (-offset + _stride.Width - 1) / _stride.Width;
        var last = _width - 1 - offset < 0 ? -1 : Math.Min((_width - 1 - offset) / _stride.Width, OutputWidth - 1);
        var sum = 0d;
        for (var row = 0; row < OutputHeight && first <= last; row++)
        {
            var y = row * _stride.Height - _pad.Top + i * _dilation.Height;
            if ((uint)y >= (uint)_height)
            {
                continue;
            }

            var line = image.Slice((channel * _height + y) * _width, _width);
            if (_stride.Width == 1)
            {
                sum += System.Numerics.Tensors.TensorPrimitives.Sum(line.Slice(first + offset, last - first + 1));
                continue;
            }

            for (var column = first; column <= last; column++)
            {
                sum += line[column * _stride.Width + offset];
            }
        }

        return sum;
    }

    private static int At(ImmutableArray<long> values, int index, int otherwise) => values.IsDefault ? otherwise : (int)values[index];
}
