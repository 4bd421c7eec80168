using Build.ML.Abstractions.References;
using Build.ML.Abstractions.Techniques;
using Build.ML.Graph;
using Build.ML.Graph.Coupling;
using Build.ML.Graph.Diagnostics;

namespace Build.ML.Pruning.Structured.Importances;

/// <summary>What an importance scores from.</summary>
public sealed record ImportanceContext
{
    /// <summary>The model; not to be changed.</summary>
    public required Model Model { get; init; }

    /// <summary>Its coupled axes.</summary>
    public required ChannelCoupling Coupling { get; init; }

    /// <summary>The axes to score.</summary>
    public required IReadOnlyList<ChannelAxis> Axes { get; init; }

    /// <summary>Data, inference, threads, cache, progress.</summary>
    public required StepContext Step { get; init; }

    /// <summary>The step's calibration data, or null where it names none.</summary>
    public DataReference? Data { get; init; }

    /// <summary>The calibration data, where an importance cannot do without.</summary>
    /// <param name="importance">Its name in recipes.</param>
    /// <exception cref="DiagnosticException">BML5630: the step names none.</exception>
    public DataReference RequiredData(string importance) => Data ?? throw new DiagnosticException(
        "BML5630", $"The importance '{importance}' is taken from data, and the step '{Step.StepId}' names none. Name a data set as its 'data', or choose an importance that reads weights alone, such as l2.");
}
