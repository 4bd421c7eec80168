using System.ComponentModel.DataAnnotations;
using Build.ML.Abstractions.Architectures;

namespace Build.ML.Architectures.Images;

/// <summary>
/// A network from images (<c>input</c>, float[batch, channels, size, size]) to classes (<c>logits</c>, float[batch, classes]).
/// </summary>
public abstract record ImageClassifier : Architecture
{
    /// <summary>Number of classes. Default 1000, and 10 for networks made for digits or CIFAR-10.</summary>
    [Range(1, 1_000_000)]
    public int Classes { get; init; } = 1000;

    /// <summary>Channels of the image. Default 3, and 1 for networks made for digits.</summary>
    [Range(1, 1024)]
    public int Channels { get; init; } = 3;

    /// <summary>Height and width of the image in pixels. Default: that of the network's paper.</summary>
    [Range(1, 8192)]
    public int Size { get; init; } = 224;
}

/// <summary>A classifier of large images that can be made narrower, and to see small images.</summary>
public abstract record MobileClassifier : ImageClassifier
{
    /// <summary>Factor of all numbers of channels. Default 1.</summary>
    [Range(0.05, 8d)]
    public double Width { get; init; } = 1;

    /// <summary>
    /// Factor by which the network shrinks its input: 32, 16, 8, 4, 2 or 1. With less than the default 32, as is right for images below
    /// some 100 pixels, the first layers
    /// keep the size.
    /// </summary>
    [AllowedValues(1, 2, 4, 8, 16, 32)]
    public int Stride { get; init; } = 32;

    /// <summary>Probability with which training zeroes an input of the last layer, 0 to 1. Default 0: there is no such layer.</summary>
    [Range(0d, 0.99)]
    public double Dropout { get; init; }
}
