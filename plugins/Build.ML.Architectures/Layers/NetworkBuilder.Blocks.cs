using Build.ML.Graph.Ir;

namespace Build.ML.Architectures.Layers;

/// <content>Blocks that several networks of images share.</content>
sealed partial class NetworkBuilder
{
    /// <summary>
    /// Inverted residual (Sandler et al.: MobileNetV2, 2018): 1×1 convolution to more channels (not where the expansion is 1), depthwise
    /// convolution, 1×1 convolution
    /// without activation; the input is added where it has the output's form.
    /// </summary>
    /// <param name="x">Its input.</param>
    /// <param name="name">Prefix of its layers, which are numbered as torchvision numbers them.</param>
    /// <param name="channels">Number of outputs.</param>
    /// <param name="expanded">Channels within.</param>
    /// <param name="window">Kernel and stride of the depthwise convolution.</param>
    /// <param name="style">Activation and normalization.</param>
    internal Feature InvertedResidual(Feature x, string name, int channels, int expanded, Window window, BlockStyle style)
    {
        var (y, next) = (x, 0);
        if (expanded != x.Channels)
        {
            y = ConvolutionBlock(y, $"{name}.conv.0.0", $"{name}.conv.0.1", expanded, new(1), style);
            next = 1;
        }

        y = ConvolutionBlock(y, $"{name}.conv.{next}.0", $"{name}.conv.{next}.1", expanded, window with { Groups = expanded }, style);
        y = ConvolutionBlock(y, $"{name}.conv.{next + 1}", $"{name}.conv.{next + 2}", channels, new(1), style, Activation.None);
        return window.Stride == 1 && x.Channels == channels ? Sum(x, y, name + ".add") : y;
    }

    /// <summary>
    /// Squeeze and excitation (Hu et al., 2018): each map times a factor from 0 to 1 that a small network makes of the means of all maps.
    /// </summary>
    /// <param name="x">Its input.</param>
    /// <param name="name">Prefix of its layers <c>fc1</c> and <c>fc2</c>.</param>
    /// <param name="squeezed">Channels within.</param>
    internal Feature SqueezeExcitation(Feature x, string name, int squeezed)
    {
        var mean = new Feature(Node("GlobalAveragePool", name + ".mean", [x.Value]), x.Channels, 1);
        var small = Activate(Convolution(mean, name + ".fc1", squeezed, new(1), bias: Initial.Zeros), name + ".activation", Activation.Relu);
        var large = Convolution(small, name + ".fc2", x.Channels, new(1), bias: Initial.Zeros);
        // min(max(x/6 + ½, 0), 1)
        var factor = Node("HardSigmoid", name + ".factor", [large.Value], NodeAttribute.Float("alpha", 1f / 6), NodeAttribute.Float("beta", 0.5f));
        return x with { Value = Node("Mul", name, [x.Value, factor]) };
    }
}
