using System.ComponentModel.DataAnnotations;

namespace Build.ML.Quantization.Blocks;

/// <summary>Options of techniques that store the weights of all layers in equally many bits.</summary>
public abstract record UniformBitsOptions : WeightFormOptions
{
    /// <summary>Bits of a weight: 2, 3, 4 or 8. 3 bits are stored in 4. Default 4.</summary>
    [AllowedValues(2, 3, 4, 8)]
    public int Bits { get; init; } = 4;

    /// <summary>The format that the options describe, with float scales; <see cref="QuantizedLayers.Adapt"/> it to each layer.</summary>
    internal BlockFormat Format => new(Bits, BlockSize, Symmetric);
}
