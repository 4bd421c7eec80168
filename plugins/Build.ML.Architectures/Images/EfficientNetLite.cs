using System.ComponentModel.DataAnnotations;
using Build.ML.Abstractions.Architectures;
using Build.ML.Architectures.Layers;
using Build.ML.Graph;

namespace Build.ML.Architectures.Images;

/// <summary>
/// EfficientNet-lite (Tan, Le: EfficientNet: rethinking model scaling, 2019, in the form of the TPU repository of 2020 for devices: ReLU6,
/// no squeeze and excitation,
/// first and last layers not scaled). Lite0 has 4,652,008 parameters, lite4 13,006,568.
/// </summary>
[Architecture("efficientnet-lite")]
public sealed record EfficientNetLite : MobileClassifier
{
    // Repeats, kernel, stride, expansion and channels of each stage.
    private static readonly (int Repeats, int Kernel, int Stride, int Expansion, int Channels)[] Stages =
        [(1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80), (3, 5, 1, 6, 112), (4, 5, 2, 6, 192), (1, 3, 1, 6, 320)];

    /// <summary>0 to 4: lite0 to lite4, each wider and deeper than the one before. Default 0.</summary>
    [Range(0, 4)]
    public int Variant { get; init; }

    /// <inheritdoc/>
    public override Model Build(long seed)
    {
        var net = new NetworkBuilder("efficientnet-lite", seed);
        var strides = new StridePlan(32, Stride);
        var style = new BlockStyle(Activation.Relu6, 0.001f, 0.99f);
        var (width, depth) = Factors();
        var x = net.ConvolutionBlock(net.Image(Channels, Size), "conv_stem", "bn1", 32, new(3, strides.Next(2)), style);
        foreach (var (s, stage) in Stages.Index())
        {
            var repeats = s == 0 || s == Stages.Length - 1 ? stage.Repeats : (int)Math.Ceiling(depth * stage.Repeats);
            for (var i = 0; i < repeats; i++)
            {
                x = net.InvertedResidual(
                    x, $"blocks.{s}.{i}", Layers.Channels.Scaled(stage.Channels, width * Width), x.Channels * stage.Expansion,
                    new(stage.Kernel, strides.Next(i == 0 ? stage.Stride : 1)), style);
            }
        }

        x = net.ConvolutionBlock(x, "conv_head", "bn2", 1280, new(1), style);
        var y = net.Dropout(net.GlobalPool(x, "avgpool"), "dropout", Dropout);
        return net.FinishClassifier(net.Linear(y, "classifier", x.Channels, Classes, Initial.Fan(Classes), Initial.Zeros), Classes);
    }

    private (double Width, double Depth) Factors() => Variant switch
    {
        0 => (1.0, 1.0),
        1 => (1.0, 1.1),
        2 => (1.1, 1.2),
        3 => (1.2, 1.4),
        _ => (1.4, 1.8),
    };
}
