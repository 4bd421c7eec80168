using Build.ML.Abstractions.Data;
using Build.ML.Graph.Diagnostics;

namespace Build.ML.Metrics.Outputs;

/// <summary>What metrics ask of labels.</summary>
internal static class Labels
{
    /// <summary>The class of a sample, checked against the number of classes.</summary>
    /// <exception cref="DiagnosticException">BML6101: no class, or one the model does not have.</exception>
    public static int ClassOf(Label label, int classes, string metric) =>
        label.Class is not { } index
            ? throw new DiagnosticException("BML6101", $"Metric '{metric}' needs samples with a class as label; name it in the data reader's options.")
        : index >= 0 && index < classes ? (int)index
        : throw new DiagnosticException(
            "BML6101", $"A sample has class {index}, the model's output has classes 0 to {classes - 1}; evaluate with labels of that model.");

    /// <summary>The text of a sample.</summary>
    /// <exception cref="DiagnosticException">BML6101: no text.</exception>
    public static string TextOf(Label label, string metric) => label.Text
        ?? throw new DiagnosticException("BML6101", $"Metric '{metric}' needs samples with a text as label; name it in the data reader's options.");

    /// <summary>Throws BML6103 when nothing was measured.</summary>
    public static double Mean(double sum, long count, string metric) => count > 0
        ? sum / count
        : throw new DiagnosticException("BML6103", $"Metric '{metric}' saw no sample; expected at least one. Check the evaluation data and its 'limit'.");
}
