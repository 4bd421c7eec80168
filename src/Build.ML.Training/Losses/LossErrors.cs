using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Ir;

namespace Build.ML.Training;

/// <summary>What does not fit between a loss, a model and its data.</summary>
internal static class LossErrors
{
    /// <summary>BML6050.</summary>
    public static DiagnosticException NoOutput(string name, IEnumerable<string> outputs) =>
        new("BML6050", $"The model has no output '{name}'; its outputs are {string.Join(", ", outputs.Select(o => $"'{o}'"))}. Name one of them as the loss's 'output'.");

    /// <summary>BML6051.</summary>
    public static DiagnosticException NoValue(string name, string of) =>
        new("BML6051", $"There is no value '{name}' among {of}. `buildml inspect` lists the names of nodes and values.");

    /// <summary>BML6052.</summary>
    public static DiagnosticException NoTeacher(int teacher, int count) =>
        new("BML6052", $"A loss asks for teacher {teacher}, and there are {count}. Use a distillation technique (distill.*) and name its teacher.");

    /// <summary>BML6053.</summary>
    public static DiagnosticException Unfit(string loss, Value value, string expected) =>
        new("BML6053", $"The loss '{loss}' takes {expected}; '{value.Name}' is {value.Type}. Name another output or value, or choose another loss.");

    /// <summary>BML6053.</summary>
    public static DiagnosticException Differ(string loss, Value student, Value teacher) => new(
        "BML6053",
        $"The loss '{loss}' compares values of the same sizes; '{student.Name}' of the model is {student.Type}, '{teacher.Name}' is {teacher.Type}. Name values that match, or use "
        + "distill.features, which learns a projection between widths.");

    /// <summary>BML6054.</summary>
    public static DiagnosticException NoLabel(int sample, string needed) =>
        new("BML6054", $"Sample {sample} of the training data has no {needed}, which a loss needs. Choose a loss that fits the data, or a reader that yields such labels.");

    /// <summary>BML6055.</summary>
    public static DiagnosticException WrongLabel(int sample, string actual, string expected) =>
        new("BML6055", $"The label of sample {sample} of the training data is {actual}; expected {expected}. Check the data, and that the model has as many outputs as there are classes.");
}
