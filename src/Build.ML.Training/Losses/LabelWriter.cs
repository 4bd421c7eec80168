using Build.ML.Abstractions.Inference;
using Build.ML.Training.Feed;

namespace Build.ML.Training;

/// <summary>Fills an input of a loss from the labels of a batch, each step.</summary>
/// <param name="batch">Labels, and which samples they are of.</param>
/// <param name="buffer">To be filled; of the type and sizes that were asked for. Holds what the step before left.</param>
/// <exception cref="Graph.Diagnostics.DiagnosticException">A sample lacks the label; the message names the sample.</exception>
public delegate void LabelWriter(FeedBatch batch, TensorBuffer buffer);
