using System.ComponentModel.DataAnnotations;
using Build.ML.Abstractions.Architectures;
using Build.ML.Architectures.Layers;
using Build.ML.Graph;
using Build.ML.Graph.Ir;

namespace Build.ML.Architectures.Images;

/// <summary>
/// ResNet for small images (He, Zhang, Ren, Sun: Deep residual learning for image recognition, 2016, section 4.2): three stages of 16, 32
/// and 64 channels at full, half
/// and quarter size. ResNet-20 has 269,722 parameters for CIFAR-10.
/// </summary>
[Architecture("resnet-cifar")]
public sealed record CifarResNet : ImageClassifier
{
    /// <summary>A ResNet for CIFAR-10.</summary>
    public CifarResNet() => (Classes, Size) = (10, 32);

    /// <summary>Number of layers with weights, 6n + 2: 8, 14, 20, 32, 44, 56 or 110. Default 20.</summary>
    [AllowedValues(8, 14, 20, 32, 44, 56, 110)]
    public int Depth { get; init; } = 20;

    /// <summary>Factor of all numbers of channels. Default 1.</summary>
    [Range(0.05, 64d)]
    public double Width { get; init; } = 1;

    /// <summary>
    /// How the input passes by where a stage has more channels: <c>pad</c> every second pixel and maps of zeros (option A of the paper, no
    /// parameters), <c>projection</c> a
    /// 1×1 convolution (option B). Default <c>pad</c>.
    /// </summary>
    public Shortcut Shortcut { get; init; } = Shortcut.Pad;

    /// <inheritdoc/>
    public override Model Build(long seed)
    {
        var net = new NetworkBuilder("resnet-cifar", seed);
        var style = new BlockStyle(Activation.Relu);
        var x = net.ConvolutionBlock(net.Image(Channels, Size), "conv1", "bn1", Layers.Channels.Simple(16, Width), new(3), style);
        for (var stage = 0; stage < 3; stage++)
        {
            var channels = Layers.Channels.Simple(16 << stage, Width);
            for (var i = 0; i < (Depth - 2) / 6; i++)
            {
                x = Block(x, $"layer{stage + 1}.{i}", channels, i == 0 && stage > 0 ? 2 : 1);
            }
        }

        var fan = x.Channels;
        return net.FinishClassifier(net.Linear(net.GlobalPool(x, "avgpool"), "linear", fan, Classes, Initial.Fan(fan), Initial.Fan(fan)), Classes);

        Feature Block(Feature input, string name, int channels, int stride)
        {
            var y = net.ConvolutionBlock(input, name + ".conv1", name + ".bn1", channels, new(3, stride), style);
            y = net.ConvolutionBlock(y, name + ".conv2", name + ".bn2", channels, new(3), style, Activation.None);
            var shortcut = stride == 1 && input.Channels == channels ? input
                : Shortcut == Shortcut.Pad ? Padded(input, name + ".shortcut", channels, stride)
                : net.ConvolutionBlock(input, name + ".shortcut.0", name + ".shortcut.1", channels, new(1, stride), style, Activation.None);
            return net.Activate(net.Sum(y, shortcut, name + ".add"), name + ".relu", Activation.Relu);
        }

        // Every pixel of even coordinates; as many maps of zeros before as behind.
        Feature Padded(Feature input, string name, int channels, int stride)
        {
            var picked = net.Node("Slice", name + ".slice",
                [input.Value, net.Integers(0, 0), net.Integers(int.MaxValue, int.MaxValue), net.Integers(2, 3), net.Integers(stride, stride)]);
            var (before, size) = ((channels - input.Channels) / 2, (input.Size + stride - 1) / stride);
            var sides = net.Integers(0, before, 0, 0, 0, channels - input.Channels - before, 0, 0);
            return new(net.Node("Pad", name, [picked, sides], NodeAttribute.String("mode", "constant")), channels, size);
        }
    }
}

/// <summary>Shortcuts past the first block of a stage.</summary>
public enum Shortcut
{
    /// <summary>Every second pixel, and maps of zeros.</summary>
    Pad,

    /// <summary>A 1×1 convolution with batch normalization.</summary>
    Projection,
}
