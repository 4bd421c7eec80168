using System.Collections.Immutable;
using System.ComponentModel.DataAnnotations;

namespace Build.ML.Quantization.Blocks;

/// <summary>Options of all techniques that store weights in blocks of few bits, however they choose the bits.</summary>
public abstract record WeightFormOptions : IValidatableObject
{
    /// <summary>Inputs of an output channel that share a scale: 16, 32, 64, 128 or 256, or 0 for all of them. Default 32.</summary>
    [AllowedValues(0, 16, 32, 64, 128, 256)]
    public int BlockSize { get; init; } = 32;

    /// <summary>Whether zero is the same code everywhere, so that no zero points are stored. Default true.</summary>
    public bool Symmetric { get; init; } = true;

    /// <summary>Operator that carries the weights of matrix products. Default <c>matmul_nbits</c>; <c>dequantize_linear</c> is plain ONNX.</summary>
    public WeightForm Form { get; init; } = WeightForm.MatmulNbits;

    /// <summary>
    /// What MatMulNBits may compute in: 0 as the activations are; 4 rounds activations to 8 bits, several times faster where one row is multiplied, at some error. Default 4.
    /// </summary>
    [AllowedValues(0, 1, 2, 3, 4)]
    public int AccuracyLevel { get; init; } = 4;

    /// <summary>Operators to quantize, of those the technique knows. Default: all it knows.</summary>
    public ImmutableArray<string> OpTypes { get; init; } = [];

    /// <summary>Globs over names of nodes, outputs and weights; only layers that fit one are quantized. Default all.</summary>
    public ImmutableArray<string> Include { get; init; } = [];

    /// <summary>Globs over names of nodes, outputs and weights; layers that fit one are left as they are. Default none.</summary>
    public ImmutableArray<string> Exclude { get; init; } = [];

    /// <inheritdoc/>
    public virtual IEnumerable<ValidationResult> Validate(ValidationContext validationContext) => [];
}
