using System.Collections.Immutable;
using System.ComponentModel.DataAnnotations;

namespace Build.ML.WeightSharing;

/// <summary>What all techniques that share weights have in common.</summary>
public abstract record SharingOptions
{
    /// <summary>Bits of an index, 1 to 8: a codebook has at most 2^bits values, a zero of its own among them. Default 4.</summary>
    [Range(1, 8)]
    public int Bits { get; init; } = 4;

    /// <summary>Other numbers of bits for some layers; a layer gets those of the first entry that fits. Default none.</summary>
    public ImmutableArray<LayerBits> BitsOf { get; init; } = [];

    /// <summary>What has a codebook of its own: each <c>tensor</c> (default), or each output <c>channel</c>.</summary>
    public CodebookGranularity Granularity { get; init; } = CodebookGranularity.Tensor;

    /// <summary>Whether weights that are exactly 0 stay so, as the first value of the codebook, also while it is trained: pruned weights stay pruned. Default true.</summary>
    public bool KeepZeros { get; init; } = true;

    /// <summary>Operators whose weights are shared, of Conv, ConvTranspose, Gather, Gemm, MatMul. Default all of them.</summary>
    public ImmutableArray<string> OpTypes { get; init; } = [];

    /// <summary>Globs over names of nodes, outputs and weights; only layers that fit one are treated. Default all.</summary>
    public ImmutableArray<string> Include { get; init; } = [];

    /// <summary>Globs over names of nodes, outputs and weights; layers that fit one are left as they are. Default none.</summary>
    public ImmutableArray<string> Exclude { get; init; } = [];

    /// <summary>Trains the codebooks (and biases and normalizations with them) while the sharing stays as it is. Default: they are not trained.</summary>
    public CodebookTraining? FineTune { get; init; }
}

/// <summary>Bits of some layers.</summary>
public sealed record LayerBits
{
    /// <summary>Globs over names of nodes, outputs and weights.</summary>
    [Required, MinLength(1)]
    public required ImmutableArray<string> Layers { get; init; }

    /// <summary>Bits of an index, 1 to 8.</summary>
    [Range(1, 8)]
    public required int Bits { get; init; }
}

/// <summary>What has a codebook of its own.</summary>
public enum CodebookGranularity
{
    /// <summary>Each weight.</summary>
    Tensor,

    /// <summary>Each output channel of a weight.</summary>
    Channel,
}
