using Build.ML.Graph.Ir;

namespace Build.ML.Architectures.Layers;

/// <summary>Feature maps float[batch, channels, size, size].</summary>
/// <param name="Value">The value.</param>
/// <param name="Channels">Number of maps.</param>
/// <param name="Size">Height and width.</param>
readonly record struct Feature(Value Value, int Channels, int Size);

/// <summary>A convolution's sizes.</summary>
/// <param name="Kernel">Height and width of the kernel.</param>
/// <param name="Stride">1 or 2.</param>
/// <param name="Groups">Channels are convolved in so many groups.</param>
readonly record struct Window(int Kernel, int Stride = 1, int Groups = 1)
{
    /// <summary>Zeros around the input. Default: what keeps the size at stride 1.</summary>
    internal int Padding { get; init; } = (Kernel - 1) / 2;
}

/// <summary>A function of single elements.</summary>
enum Activation
{
    /// <summary>x.</summary>
    None,

    /// <summary>max(x, 0).</summary>
    Relu,

    /// <summary>min(max(x, 0), 6).</summary>
    Relu6,

    /// <summary>x · min(max(x + 3, 0), 6)/6.</summary>
    HardSwish,

    /// <summary>tanh x.</summary>
    Tanh,
}
