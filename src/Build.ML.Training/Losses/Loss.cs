using System.ComponentModel.DataAnnotations;
using Build.ML.Graph.Ir;

namespace Build.ML.Training;

/// <summary>
/// What training makes small. A sealed record with <see cref="LossAttribute"/> adds one; its public properties are its options. It builds ONNX nodes behind the model's; their gradients
/// follow from the operators'.
/// </summary>
public abstract record Loss
{
    /// <summary>What the loss is multiplied by where there are several, 0 or more. Default 1.</summary>
    [Range(0d, 1e9)]
    public double Weight { get; init; } = 1;

    /// <summary>Name of the model's output that the loss is of. Default: the first.</summary>
    public string? Output { get; init; }

    /// <summary>Builds the loss of a batch.</summary>
    /// <param name="context">The model's values, labels, teachers.</param>
    /// <returns>A float scalar, as a rule a mean over the batch, before it is multiplied by <see cref="Weight"/>.</returns>
    /// <exception cref="Graph.Diagnostics.DiagnosticException">The model or the options do not fit the loss.</exception>
    public abstract Value Build(LossContext context);
}
