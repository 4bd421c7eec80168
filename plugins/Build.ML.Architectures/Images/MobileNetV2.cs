using Build.ML.Abstractions.Architectures;
using Build.ML.Architectures.Layers;
using Build.ML.Graph;

namespace Build.ML.Architectures.Images;

/// <summary>MobileNetV2 (Sandler et al.: Inverted residuals and linear bottlenecks, 2018): 3,504,872 parameters.</summary>
[Architecture("mobilenet-v2")]
public sealed record MobileNetV2 : MobileClassifier
{
    // Expansion, channels, repeats and stride of each stage (table 2).
    private static readonly (int Expansion, int Channels, int Repeats, int Stride)[] Stages =
        [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)];

    /// <inheritdoc/>
    public override Model Build(long seed)
    {
        var net = new NetworkBuilder("mobilenet-v2", seed);
        var strides = new StridePlan(32, Stride);
        var style = new BlockStyle(Activation.Relu6);
        var x = net.ConvolutionBlock(
            net.Image(Channels, Size), "features.0.0", "features.0.1", Layers.Channels.Scaled(32, Width), new(3, strides.Next(2)), style);
        var next = 1;
        foreach (var (expansion, channels, repeats, stride) in Stages)
        {
            for (var i = 0; i < repeats; i++)
            {
                x = net.InvertedResidual(
                    x, $"features.{next++}", Layers.Channels.Scaled(channels, Width), x.Channels * expansion, new(3, strides.Next(i == 0 ? stride : 1)), style);
            }
        }

        // Narrow networks keep the wide last layer.
        x = net.ConvolutionBlock(x, $"features.{next}.0", $"features.{next}.1", Layers.Channels.Scaled(1280, Math.Max(1, Width)), new(1), style);
        var y = net.Dropout(net.GlobalPool(x, "avgpool"), "classifier.0", Dropout);
        return net.FinishClassifier(net.Linear(y, "classifier.1", x.Channels, Classes, Initial.Normal(0.01), Initial.Zeros), Classes);
    }
}
