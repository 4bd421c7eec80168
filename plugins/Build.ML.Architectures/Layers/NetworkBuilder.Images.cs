using Build.ML.Graph;
using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Ir;

namespace Build.ML.Architectures.Layers;

/// <content>Layers of images.</content>
sealed partial class NetworkBuilder
{
    /// <summary>Images float[batch, channels, size, size], named <c>input</c>.</summary>
    internal Feature Image(int channels, int size) => new(Input("input", DataType.Float, channels, size, size), channels, size);

    /// <summary>The model of a classifier: output <c>logits</c> float[batch, classes].</summary>
    internal Model FinishClassifier(Value logits, int classes)
    {
        _graph.Rename(logits, "logits");
        return Finish(logits, classes);
    }

    /// <summary>A convolution; weight [channels, in/groups, kernel, kernel].</summary>
    /// <param name="x">Its input.</param>
    /// <param name="name">Prefix of its weights.</param>
    /// <param name="channels">Number of outputs.</param>
    /// <param name="window">Its sizes.</param>
    /// <param name="weight">Initial weight; default Kaiming by the fan out of its group, as the networks of convolution and ReLU have
    /// it.</param>
    /// <param name="bias">Initial bias; default: there is none.</param>
    internal Feature Convolution(Feature x, string name, int channels, Window window, WeightFill? weight = null, WeightFill? bias = null)
    {
        var (kernel, _, groups) = window;
        var w = Weight(name + ".weight", weight ?? Initial.Kaiming(channels / groups * kernel * kernel), channels, x.Channels / groups, kernel, kernel);
        ReadOnlySpan<Value?> inputs = bias is null ? [x.Value, w] : [x.Value, w, Weight(name + ".bias", bias, channels)];
        var y = Node("Conv", name, inputs, [.. Attributes(window), NodeAttribute.Int("group", groups)]);
        return new(y, channels, Reduced(x.Size, window, ceiling: false, name));
    }

    /// <summary>
    /// Batch normalization in the form for inference, y = (x − mean)/√(variance + ε)·weight + bias, which training replaces by statistics
    /// of the batch.
    /// </summary>
    /// <param name="x">Its input.</param>
    /// <param name="name">Prefix of its weights.</param>
    /// <param name="epsilon">Default 1e-5.</param>
    /// <param name="momentum">Share of the old statistics that a batch leaves. Default 0.9.</param>
    internal Feature BatchNorm(Feature x, string name, float epsilon = 1e-5f, float momentum = 0.9f) => x with
    {
        Value = Node("BatchNormalization", name,
            [
                x.Value, Weight(name + ".weight", Initial.Ones, x.Channels), Weight(name + ".bias", Initial.Zeros, x.Channels),
                Weight(name + ".running_mean", Initial.Zeros, x.Channels), Weight(name + ".running_var", Initial.Ones, x.Channels),
            ],
            NodeAttribute.Float("epsilon", epsilon), NodeAttribute.Float("momentum", momentum)),
    };

    /// <summary>A function of each element.</summary>
    internal Feature Activate(Feature x, string name, Activation activation) => x with
    {
        Value = activation switch
        {
            Activation.Relu => Node("Relu", name, [x.Value]),
            Activation.Relu6 => Node("Clip", name, [x.Value, Scalar(0), Scalar(6)]),
            Activation.HardSwish => Node("HardSwish", name, [x.Value]),
            Activation.Tanh => Node("Tanh", name, [x.Value]),
            _ => x.Value,
        },
    };

    /// <summary>Convolution without bias, batch normalization and activation: the block that most networks consist of.</summary>
    /// <param name="x">Its input.</param>
    /// <param name="convolution">Prefix of the convolution's weights.</param>
    /// <param name="norm">Prefix of the normalization's weights.</param>
    /// <param name="channels">Number of outputs.</param>
    /// <param name="window">Sizes of the convolution.</param>
    /// <param name="style">Activation and normalization.</param>
    /// <param name="activation">Another activation than the style's, or null.</param>
    internal Feature ConvolutionBlock(
        Feature x, string convolution, string norm, int channels, Window window, BlockStyle style, Activation? activation = null)
    {
        var y = BatchNorm(Convolution(x, convolution, channels, window), norm, style.Epsilon, style.Momentum);
        return Activate(y, norm + ".activation", activation ?? style.Activation);
    }

    /// <summary>Largest of each window; <paramref name="ceiling"/>: a window that sticks out at the end counts too.</summary>
    internal Feature MaxPool(Feature x, string name, Window window, bool ceiling = false) => new(
        Node("MaxPool", name, [x.Value], [.. Attributes(window), NodeAttribute.Int("ceil_mode", ceiling ? 1 : 0)]),
        x.Channels, Reduced(x.Size, window, ceiling, name));

    /// <summary>Mean of each window.</summary>
    internal Feature AveragePool(Feature x, string name, Window window) => new(
        Node("AveragePool", name, [x.Value], Attributes(window)), x.Channels, Reduced(x.Size, window, ceiling: false, name));

    /// <summary>Mean of each map: [batch, channels].</summary>
    internal Value GlobalPool(Feature x, string name) =>
        Node("Flatten", name + ".flat", [Node("GlobalAveragePool", name, [x.Value])], NodeAttribute.Int("axis", 1));

    /// <summary>The sum of two of the same form.</summary>
    internal Feature Sum(Feature a, Feature b, string name) => a with { Value = Node("Add", name, [a.Value, b.Value]) };

    /// <summary>The maps of both.</summary>
    internal Feature Concatenated(Feature a, Feature b, string name) =>
        new(Node("Concat", name, [a.Value, b.Value], NodeAttribute.Int("axis", 1)), a.Channels + b.Channels, a.Size);

    private static NodeAttribute[] Attributes(Window window) =>
    [
        NodeAttribute.Ints("kernel_shape", window.Kernel, window.Kernel), NodeAttribute.Ints("strides", window.Stride, window.Stride),
        NodeAttribute.Ints("pads", window.Padding, window.Padding, window.Padding, window.Padding),
    ];

    private static int Reduced(int size, Window window, bool ceiling, string name)
    {
        var steps = size + (2 * window.Padding) - window.Kernel;
        return steps >= 0 ? ((steps + (ceiling ? window.Stride - 1 : 0)) / window.Stride) + 1
            : throw new DiagnosticException("BML6110",
                $"Layer '{name}' gets maps of {size}×{size}, less than its window of {window.Kernel}×{window.Kernel}; "
                + "give a larger 'size' (or a smaller 'stride', where the network has one).");
    }
}

/// <summary>What the blocks of a network have in common.</summary>
/// <param name="Activation">Behind each normalization.</param>
/// <param name="Epsilon">Of normalizations. Default 1e-5.</param>
/// <param name="Momentum">Of normalizations. Default 0.9.</param>
sealed record BlockStyle(Activation Activation, float Epsilon = 1e-5f, float Momentum = 0.9f);
