using System.ComponentModel.DataAnnotations;
using Build.ML.Abstractions.Architectures;
using Build.ML.Architectures.Layers;
using Build.ML.Graph;
using Build.ML.Graph.Ir;

namespace Build.ML.Architectures.Images;

/// <summary>
/// ShuffleNetV2 (Ma, Zhang, Zheng, Sun: Practical guidelines for efficient CNN architecture design, 2018): blocks work on half of the
/// channels, which are then shuffled;
/// 2,278,604 parameters at width 1.
/// </summary>
[Architecture("shufflenet-v2")]
public sealed record ShuffleNetV2 : ImageClassifier
{
    /// <summary>The paper's sizes: 0.5, 1, 1.5 or 2; others lie between. Default 1.</summary>
    [Range(0.1, 4d)]
    public double Width { get; init; } = 1;

    /// <summary>
    /// Factor by which the network shrinks its input, 1 to 32; with less than the default 32 the first layers keep the size.
    /// </summary>
    [AllowedValues(1, 2, 4, 8, 16, 32)]
    public int Stride { get; init; } = 32;

    /// <inheritdoc/>
    public override Model Build(long seed)
    {
        var net = new NetworkBuilder("shufflenet-v2", seed);
        var strides = new StridePlan(32, Stride);
        var style = new BlockStyle(Activation.Relu);
        var (first, last) = Widths();
        var x = net.ConvolutionBlock(net.Image(Channels, Size), "conv1.0", "conv1.1", 24, new(3, strides.Next(2)), style);
        x = net.MaxPool(x, "maxpool", new(3, strides.Next(2)));
        foreach (var (stage, repeats) in new[] { 4, 8, 4 }.Index())
        {
            var half = (first << stage) / 2;
            x = Down(x, $"stage{stage + 2}.0", half, strides.Next(2));
            for (var i = 1; i < repeats; i++)
            {
                x = Same(x, $"stage{stage + 2}.{i}", half);
            }
        }

        x = net.ConvolutionBlock(x, "conv5.0", "conv5.1", last, new(1), style);
        return net.FinishClassifier(net.Linear(net.GlobalPool(x, "avgpool"), "fc", last, Classes, Initial.Fan(last), Initial.Fan(last)), Classes);

        // Both branches see all channels.
        Feature Down(Feature input, string name, int half, int stride)
        {
            var left = net.BatchNorm(net.Convolution(input, name + ".branch1.0", input.Channels, new(3, stride, input.Channels)), name + ".branch1.1");
            left = net.ConvolutionBlock(left, name + ".branch1.2", name + ".branch1.3", half, new(1), style);
            return Shuffled(net.Concatenated(left, Branch(input, name, half, stride), name + ".concat"), name);
        }

        // Half of the channels pass as they are.
        Feature Same(Feature input, string name, int half)
        {
            var left = Part(input, name + ".left", 0, half);
            var right = Part(input, name + ".right", half, 2 * half);
            return Shuffled(net.Concatenated(left, Branch(right, name, half, 1), name + ".concat"), name);
        }

        Feature Branch(Feature input, string name, int half, int stride)
        {
            var y = net.ConvolutionBlock(input, name + ".branch2.0", name + ".branch2.1", half, new(1), style);
            y = net.BatchNorm(net.Convolution(y, name + ".branch2.3", half, new(3, stride, half)), name + ".branch2.4");
            return net.ConvolutionBlock(y, name + ".branch2.5", name + ".branch2.6", half, new(1), style);
        }

        Feature Part(Feature input, string name, int from, int to) => input with
        {
            Value = net.Node("Slice", name, [input.Value, net.Integers(from), net.Integers(to), net.Integers(1)]),
            Channels = to - from,
        };

        // The channels as a matrix of two rows, read column by column.
        Feature Shuffled(Feature input, string name)
        {
            var (half, size) = (input.Channels / 2, input.Size);
            var rows = net.Reshape(input.Value, name + ".rows", 0, 2, half, size * size);
            var columns = net.Node("Transpose", name + ".columns", [rows], NodeAttribute.Ints("perm", 0, 2, 1, 3));
            return input with { Value = net.Reshape(columns, name + ".shuffle", 0, input.Channels, size, size) };
        }
    }

    // Channels of the first stage (doubled by each following one) and of the last layer (table 5); even, so that they halve.
    private (int First, int Last) Widths() => Width switch
    {
        0.5 => (48, 1024),
        1 => (116, 1024),
        1.5 => (176, 1024),
        2 => (244, 2048),
        _ => (Math.Max(2, (int)Math.Round(58 * Width) * 2), Width > 1.5 ? 2048 : 1024),
    };
}
