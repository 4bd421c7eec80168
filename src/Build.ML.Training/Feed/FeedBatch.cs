using System.Collections.Immutable;
using Build.ML.Abstractions.Data;
using Build.ML.Abstractions.Inference;

namespace Build.ML.Training.Feed;

/// <summary>A batch of a <see cref="TrainingFeed"/>. Its buffers are filled anew after the next <see cref="TrainingFeed.Take"/>.</summary>
/// <param name="Step">Step it is for.</param>
/// <param name="Epoch">Epoch the step is in, from 0.</param>
/// <param name="Shape">Shape of each sample.</param>
/// <param name="Inputs">Tensors [batch size, …] by model input name; the empty name stands for the first input.</param>
/// <param name="Labels">One for each sample.</param>
/// <param name="Indices">Index of each sample in the data set.</param>
public sealed record FeedBatch(
    long Step, long Epoch, FeedShape Shape, ImmutableArray<KeyValuePair<string, TensorBuffer>> Inputs, ImmutableArray<Label> Labels, ImmutableArray<int> Indices);
