using System.Collections.Immutable;
using Build.ML.Graph.Tensors;

namespace Build.ML.Abstractions.Data;

/// <summary>What is known about the right answer for a sample.</summary>
public sealed record Label
{
    /// <summary>No label.</summary>
    public static Label None { get; } = new();

    /// <summary>Class index for classification, else null.</summary>
    public long? Class { get; init; }

    /// <summary>Text for recognition or generation, else null.</summary>
    public string? Text { get; init; }

    /// <summary>Any other target, without a batch dimension, else null.</summary>
    public Tensor? Target { get; init; }
}

/// <summary>One example.</summary>
/// <param name="Inputs">Tensors without a batch dimension by model input name; the empty name stands for the model's first input.</param>
/// <param name="Label">The right answer.</param>
public sealed record Sample(ImmutableArray<KeyValuePair<string, Tensor>> Inputs, Label Label)
{
    /// <summary>
    /// Inputs that are fed as they are, without a batch dimension in front, such as a sampling rate or a recurrent state whose batch dimension is not the first. A sample with such
    /// inputs is a batch of its own. Default none.
    /// </summary>
    public ImmutableArray<string> Whole { get; init; } = [];

    /// <summary>The sample as a batch of one.</summary>
    public Batch AsBatch() => new(
        [.. Inputs.Select(i => Whole.Contains(i.Key) ? i : KeyValuePair.Create(i.Key, i.Value.Reshape([1, .. i.Value.Sizes])))], [Label]);
}

/// <summary>Several examples stacked along a new first dimension.</summary>
/// <param name="Inputs">Tensors [count, …] by model input name; the empty name stands for the model's first input.</param>
/// <param name="Labels">One per example.</param>
public sealed record Batch(ImmutableArray<KeyValuePair<string, Tensor>> Inputs, ImmutableArray<Label> Labels)
{
    /// <summary>Number of examples.</summary>
    public int Count => Labels.Length;
}
