using Build.ML.Graph.Diagnostics;
using Build.ML.Training.Augmentations;

namespace Build.ML.Training.Feed;

/// <summary>The diagnostics of data that cannot be trained on.</summary>
internal static class FeedErrors
{
    /// <summary>BML6080.</summary>
    public static DiagnosticException Empty(string data) =>
        new("BML6080", $"The {data} has no samples; expected one or more. Check its files, 'limit', 'skip' and 'split'.");

    /// <summary>BML6081.</summary>
    public static DiagnosticException Differs(string data, int index, FeedShape actual, FeedShape expected, bool buckets) => new(
        "BML6081",
        $"Sample {index} of the {data} is {actual}, the first is {expected}; expected one shape, because training runs on batches of a fixed one. "
        + (buckets ? "Names, types and ranks must be the same for all samples." : "Pad or cut samples in the reader ('pad_to', 'max_length', 'width'), or set 'buckets'."));

    /// <summary>BML6082.</summary>
    public static DiagnosticException Whole(string data, string input, int batchSize) => new(
        "BML6082", $"Input '{input}' of the {data} is fed without a batch dimension, and 'batch_size' is {batchSize}; expected 1. Set 'batch_size: 1' and accumulate gradients.");

    /// <summary>BML6083.</summary>
    public static DiagnosticException NotNumbers(string data, FeedInput input) => new(
        "BML6083", $"An input of the {data} is {input}; expected numbers. Tokenize texts with the reader 'text' or 'jsonl'.");

    /// <summary>BML6084.</summary>
    public static Diagnostic DoesNotFit(string data, Augmentation augmentation, FeedShape shape) => new(
        "BML6084",
        $"'{augmentation.GetType().Name}' augments input '{augmentation.Input}' of the {data}, which has {shape}; expected float[channels,height,width]. "
        + "Name the input that holds images, use 'layout: nchw', or remove the augmentation.");

    /// <summary>BML6085.</summary>
    public static DiagnosticException NoInput(string data, string input, FeedShape shape) =>
        new("BML6085", $"'buckets' pads input '{input}', and the {data} has {shape}. Name one of these, or none for the first.");
}
