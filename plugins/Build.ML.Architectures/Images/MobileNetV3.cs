using Build.ML.Abstractions.Architectures;
using Build.ML.Architectures.Layers;
using Build.ML.Graph;

namespace Build.ML.Architectures.Images;

/// <summary>
/// MobileNetV3 (Howard et al.: Searching for MobileNetV3, 2019): inverted residuals with squeeze and excitation and hard-swish; 5,483,032
/// parameters large, 2,542,856 small.
/// </summary>
[Architecture("mobilenet-v3")]
public sealed record MobileNetV3 : MobileClassifier
{
    // Kernel, expanded channels, channels, squeeze and excitation, hard-swish, stride (tables 1 and 2).
    private static readonly (int Kernel, int Expanded, int Channels, bool Squeezes, bool Swishes, int Stride)[] LargeBlocks =
    [
        (3, 16, 16, false, false, 1), (3, 64, 24, false, false, 2), (3, 72, 24, false, false, 1), (5, 72, 40, true, false, 2), (5, 120, 40, true, false, 1),
        (5, 120, 40, true, false, 1), (3, 240, 80, false, true, 2), (3, 200, 80, false, true, 1), (3, 184, 80, false, true, 1), (3, 184, 80, false, true, 1),
        (3, 480, 112, true, true, 1), (3, 672, 112, true, true, 1), (5, 672, 160, true, true, 2), (5, 960, 160, true, true, 1), (5, 960, 160, true, true, 1),
    ];

    private static readonly (int Kernel, int Expanded, int Channels, bool Squeezes, bool Swishes, int Stride)[] SmallBlocks =
    [
        (3, 16, 16, true, false, 2), (3, 72, 24, false, false, 2), (3, 88, 24, false, false, 1), (5, 96, 40, true, true, 2), (5, 240, 40, true, true, 1),
        (5, 240, 40, true, true, 1), (5, 120, 48, true, true, 1), (5, 144, 48, true, true, 1), (5, 288, 96, true, true, 2), (5, 576, 96, true, true, 1),
        (5, 576, 96, true, true, 1),
    ];

    /// <summary><c>large</c> or <c>small</c>. Default <c>large</c>.</summary>
    public MobileNetV3Variant Variant { get; init; } = MobileNetV3Variant.Large;

    /// <inheritdoc/>
    public override Model Build(long seed)
    {
        var net = new NetworkBuilder("mobilenet-v3", seed);
        var strides = new StridePlan(32, Stride);
        var style = new BlockStyle(Activation.HardSwish, 0.001f, 0.99f);
        var (blocks, hidden) = Variant == MobileNetV3Variant.Large ? (LargeBlocks, 1280) : (SmallBlocks, 1024);
        var x = net.ConvolutionBlock(net.Image(Channels, Size), "features.0.0", "features.0.1", Scaled(16), new(3, strides.Next(2)), style);
        foreach (var (i, block) in blocks.Index())
        {
            x = Block(x, $"features.{i + 1}", block, new(block.Kernel, strides.Next(block.Stride)));
        }

        x = net.ConvolutionBlock(x, $"features.{blocks.Length + 1}.0", $"features.{blocks.Length + 1}.1", 6 * x.Channels, new(1), style);
        hidden = Scaled(hidden);
        var y = net.Linear(net.GlobalPool(x, "avgpool"), "classifier.0", x.Channels, hidden, Initial.Normal(0.01), Initial.Zeros);
        y = net.Dropout(net.Node("HardSwish", "classifier.1", [y]), "classifier.2", Dropout);
        return net.FinishClassifier(net.Linear(y, "classifier.3", hidden, Classes, Initial.Normal(0.01), Initial.Zeros), Classes);

        Feature Block(Feature input, string name, (int Kernel, int Expanded, int Channels, bool Squeezes, bool Swishes, int Stride) block, Window window)
        {
            var inner = style with { Activation = block.Swishes ? Activation.HardSwish : Activation.Relu };
            var (y, next, expanded, channels) = (input, 0, Scaled(block.Expanded), Scaled(block.Channels));
            if (expanded != input.Channels)
            {
                y = net.ConvolutionBlock(y, $"{name}.block.0.0", $"{name}.block.0.1", expanded, new(1), inner);
                next++;
            }

            y = net.ConvolutionBlock(y, $"{name}.block.{next}.0", $"{name}.block.{next++}.1", expanded, window with { Groups = expanded }, inner);
            if (block.Squeezes)
            {
                y = net.SqueezeExcitation(y, $"{name}.block.{next++}", Layers.Channels.Scaled(expanded / 4, 1));
            }

            y = net.ConvolutionBlock(y, $"{name}.block.{next}.0", $"{name}.block.{next}.1", channels, new(1), inner, Activation.None);
            return window.Stride == 1 && input.Channels == channels ? net.Sum(input, y, name + ".add") : y;
        }
    }

    private int Scaled(int channels) => Layers.Channels.Scaled(channels, Width);
}

/// <summary>Sizes of MobileNetV3.</summary>
public enum MobileNetV3Variant
{
    /// <summary>15 blocks.</summary>
    Large,

    /// <summary>11 blocks.</summary>
    Small,
}
