using System.ComponentModel.DataAnnotations;
using Build.ML.Abstractions.Architectures;
using Build.ML.Architectures.Layers;
using Build.ML.Graph;

namespace Build.ML.Architectures.Images;

/// <summary>
/// ResNet for images as of ImageNet (He, Zhang, Ren, Sun: Deep residual learning for image recognition, 2016), with the stride of
/// bottlenecks in their 3×3 convolution
/// as torchvision has it. ResNet-18 has 11,689,512 parameters, ResNet-50 25,557,032.
/// </summary>
[Architecture("resnet")]
public sealed record ResNet : ImageClassifier
{
    /// <summary>
    /// Number of layers with weights: 18 or 34 (of blocks of two convolutions), 50, 101 or 152 (of bottlenecks of three). Default 18.
    /// </summary>
    [AllowedValues(18, 34, 50, 101, 152)]
    public int Depth { get; init; } = 18;

    /// <summary>Factor of all numbers of channels. Default 1.</summary>
    [Range(0.05, 8d)]
    public double Width { get; init; } = 1;

    /// <summary>
    /// Factor by which the network shrinks its input, 1 to 32; with less than the default 32 the first layers keep the size.
    /// </summary>
    [AllowedValues(1, 2, 4, 8, 16, 32)]
    public int Stride { get; init; } = 32;

    /// <inheritdoc/>
    public override Model Build(long seed)
    {
        var net = new NetworkBuilder("resnet", seed);
        var strides = new StridePlan(32, Stride);
        var style = new BlockStyle(Activation.Relu);
        var bottleneck = Depth >= 50;
        var x = net.ConvolutionBlock(net.Image(Channels, Size), "conv1", "bn1", Scaled(64), new(7, strides.Next(2)), style);
        x = net.MaxPool(x, "maxpool", new(3, strides.Next(2)));
        foreach (var (stage, repeats) in Repeats().Index())
        {
            var channels = Scaled(64 << stage);
            for (var i = 0; i < repeats; i++)
            {
                var stride = strides.Next(i == 0 && stage > 0 ? 2 : 1);
                var name = $"layer{stage + 1}.{i}";
                x = bottleneck ? Bottleneck(x, name, channels, stride) : Basic(x, name, channels, stride);
            }
        }

        var fan = x.Channels;
        return net.FinishClassifier(net.Linear(net.GlobalPool(x, "avgpool"), "fc", fan, Classes, Initial.Fan(fan), Initial.Fan(fan)), Classes);

        Feature Basic(Feature input, string name, int channels, int stride)
        {
            var y = net.ConvolutionBlock(input, name + ".conv1", name + ".bn1", channels, new(3, stride), style);
            y = net.ConvolutionBlock(y, name + ".conv2", name + ".bn2", channels, new(3), style, Activation.None);
            return Joined(input, y, name, stride);
        }

        Feature Bottleneck(Feature input, string name, int channels, int stride)
        {
            var y = net.ConvolutionBlock(input, name + ".conv1", name + ".bn1", channels, new(1), style);
            y = net.ConvolutionBlock(y, name + ".conv2", name + ".bn2", channels, new(3, stride), style);
            y = net.ConvolutionBlock(y, name + ".conv3", name + ".bn3", 4 * channels, new(1), style, Activation.None);
            return Joined(input, y, name, stride);
        }

        Feature Joined(Feature input, Feature y, string name, int stride)
        {
            var shortcut = stride == 1 && input.Channels == y.Channels ? input
                : net.ConvolutionBlock(input, name + ".downsample.0", name + ".downsample.1", y.Channels, new(1, stride), style, Activation.None);
            return net.Activate(net.Sum(y, shortcut, name + ".add"), name + ".relu", Activation.Relu);
        }
    }

    private int Scaled(int channels) => Layers.Channels.Simple(channels, Width);

    private int[] Repeats() => Depth switch
    {
        18 => [2, 2, 2, 2],
        34 or 50 => [3, 4, 6, 3],
        101 => [3, 4, 23, 3],
        _ => [3, 8, 36, 3],
    };
}
