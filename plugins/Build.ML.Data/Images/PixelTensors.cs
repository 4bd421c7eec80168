using Build.ML.Data.Files;
using Build.ML.Graph.Tensors;

namespace Build.ML.Data.Images;

/// <summary>Turns 8-bit pixels into normalized float tensors by one table of 256 floats for each channel.</summary>
internal sealed class PixelTensors
{
    private readonly float[][] _tables;
    private readonly Layout _layout;

    /// <summary>Prepares the tables.</summary>
    /// <param name="options">Normalization and layout.</param>
    /// <param name="channels">Channels of the tensors.</param>
    /// <param name="file">Named by the diagnostic when mean or std do not fit the channels.</param>
    /// <exception cref="Graph.Diagnostics.DiagnosticException">BML5204: mean or std has neither one number nor one for each channel.</exception>
    public PixelTensors(ImageOptions options, int channels, string file)
    {
        Channels = channels;
        _layout = options.Layout;
        _tables = new float[channels][];
        for (var c = 0; c < channels; c++)
        {
            var mean = Of(options.Mean.AsSpan(), c, 0, "mean", file);
            var std = Of(options.Std.AsSpan(), c, 1, "std", file);
            _tables[c] = new float[256];
            for (var v = 0; v < 256; v++)
            {
                _tables[c][v] = (float)(((v * options.Scale) - mean) / std);
            }
        }
    }

    /// <summary>Channels of the tensors.</summary>
    public int Channels { get; }

    /// <summary>A tensor [channels, height, width] or [height, width, channels].</summary>
    /// <param name="image">Has <see cref="Channels"/> channels.</param>
    /// <param name="paddedWidth">Width of the tensor, at least the image's; what is right of the image holds <paramref name="padding"/>.</param>
    /// <param name="padding">Element value of padding.</param>
    public Tensor Of(PixelImage image, int paddedWidth, float padding)
    {
        var (height, width) = (image.Height, image.Width);
        var elements = new float[checked(Channels * height * paddedWidth)];
        if (paddedWidth > width)
        {
            elements.AsSpan().Fill(padding);
        }

        for (var c = 0; c < Channels; c++)
        {
            var table = _tables[c];
            for (var y = 0; y < height; y++)
            {
                var source = image.Pixels.AsSpan(y * width * Channels, width * Channels);
                if (_layout == Layout.Nchw)
                {
                    var row = elements.AsSpan(((c * height) + y) * paddedWidth, width);
                    for (int x = 0, s = c; x < row.Length; x++, s += Channels)
                    {
                        row[x] = table[source[s]];
                    }
                }
                else
                {
                    var row = elements.AsSpan(y * paddedWidth * Channels, width * Channels);
                    for (var x = c; x < row.Length; x += Channels)
                    {
                        row[x] = table[source[x]];
                    }
                }
            }
        }

        return _layout == Layout.Nchw
            ? Tensor.Of(elements, Channels, height, paddedWidth)
            : Tensor.Of(elements, height, paddedWidth, Channels);
    }

    /// <summary>A tensor from pixels stored plane by plane, each channel whole, as CIFAR stores them.</summary>
    public Tensor OfPlanes(ReadOnlySpan<byte> planes, int height, int width)
    {
        if (_layout == Layout.Nchw)
        {
            var elements = new float[Channels * height * width];
            for (var c = 0; c < Channels; c++)
            {
                var table = _tables[c];
                var source = planes.Slice(c * height * width, height * width);
                var plane = elements.AsSpan(c * height * width, source.Length);
                for (var i = 0; i < plane.Length; i++)
                {
                    plane[i] = table[source[i]];
                }
            }

            return Tensor.Of(elements, Channels, height, width);
        }

        var interleaved = new byte[planes.Length];
        var area = height * width;
        for (var c = 0; c < Channels; c++)
        {
            for (var i = 0; i < area; i++)
            {
                interleaved[(i * Channels) + c] = planes[(c * area) + i];
            }
        }

        return Of(new PixelImage(width, height, Channels, interleaved), width, 0);
    }

    private double Of(ReadOnlySpan<double> values, int channel, double otherwise, string name, string file) => values.Length switch
    {
        0 => otherwise,
        1 => values[0],
        var n when n == Channels => values[channel],
        var n => throw DataErrors.DoesNotFit(file, $"'{name}' has {n} numbers, the images have {Channels} channels; give 1 or {Channels}."),
    };
}
