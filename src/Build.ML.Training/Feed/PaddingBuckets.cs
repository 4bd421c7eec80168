using System.ComponentModel.DataAnnotations;

namespace Build.ML.Training.Feed;

/// <summary>
/// Lets samples of different lengths train together: each dimension that is not the same for all samples is padded to the next multiple,
/// and a batch holds samples of one padded shape.
/// Fewer shapes mean fewer sessions of the runtime, more mean less computation on padding.
/// </summary>
public sealed record PaddingBuckets
{
    /// <summary>Sizes are rounded up to a multiple of this, 1 or more. Default 32.</summary>
    [Range(1, int.MaxValue)]
    public int Multiple { get; init; } = 32;

    /// <summary>
    /// Input that is padded with <see cref="PadValue"/>; default: the first. All others, such as attention masks, are padded with 0.
    /// </summary>
    public string Input { get; init; } = "";

    /// <summary>Element that pads <see cref="Input"/>: the tokenizer's id for padding. Default 0.</summary>
    public double PadValue { get; init; }
}
