using Build.ML.Abstractions.Architectures;
using Build.ML.Architectures.Layers;
using Build.ML.Graph;

namespace Build.ML.Architectures.Images;

/// <summary>
/// MobileNet (Howard et al.: MobileNets: efficient convolutional neural networks for mobile vision applications, 2017): depthwise and 1×1
/// convolutions in turn; 4,231,976
/// parameters.
/// </summary>
[Architecture("mobilenet-v1")]
public sealed record MobileNetV1 : MobileClassifier
{
    // Channels and stride of each pair (table 1).
    private static readonly (int Channels, int Stride)[] Pairs =
        [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), (512, 1), (512, 1), (512, 1), (512, 1), (512, 1), (1024, 2), (1024, 1)];

    /// <inheritdoc/>
    public override Model Build(long seed)
    {
        var net = new NetworkBuilder("mobilenet-v1", seed);
        var strides = new StridePlan(32, Stride);
        var style = new BlockStyle(Activation.Relu);
        var x = net.ConvolutionBlock(net.Image(Channels, Size), "conv1", "bn1", Layers.Channels.Scaled(32, Width), new(3, strides.Next(2)), style);
        foreach (var (i, (channels, stride)) in Pairs.Index())
        {
            x = net.ConvolutionBlock(x, $"layers.{i}.depthwise", $"layers.{i}.bn1", x.Channels, new(3, strides.Next(stride), x.Channels), style);
            x = net.ConvolutionBlock(x, $"layers.{i}.pointwise", $"layers.{i}.bn2", Layers.Channels.Scaled(channels, Width), new(1), style);
        }

        var fan = x.Channels;
        var y = net.Dropout(net.GlobalPool(x, "avgpool"), "dropout", Dropout);
        return net.FinishClassifier(net.Linear(y, "fc", fan, Classes, Initial.Fan(fan), Initial.Fan(fan)), Classes);
    }
}
