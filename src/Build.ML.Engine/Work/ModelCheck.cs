using Build.ML.Graph;
using Build.ML.Graph.Diagnostics;
using Build.ML.Recipes;

namespace Build.ML.Engine.Work;

/// <summary>Looks at models before others rely on them.</summary>
internal static class ModelCheck
{
    /// <summary>Checks the model a recipe starts from.</summary>
    /// <exception cref="DiagnosticException">BML5006 and what the validator found: it cannot be worked with.</exception>
    public static void Source(Model model, SourceLocation location, Action<Diagnostic> report)
    {
        var found = Check(model);
        if (found.Any(d => d.Severity == Severity.Error))
        {
            throw new DiagnosticException([new("BML5006", "The model is not valid ONNX; export it anew, or mend what follows.", location), .. found]);
        }

        foreach (var diagnostic in found)
        {
            report(diagnostic);
        }
    }

    /// <summary>Checks what a technique made.</summary>
    /// <exception cref="DiagnosticException">BML5007 and what the validator found: the technique's fault, not the user's.</exception>
    public static void Result(Model model, Step step) => Made(model, $"Technique {step.Technique} returned", "technique", step.Location);

    /// <summary>Checks what an architecture made.</summary>
    /// <exception cref="DiagnosticException">BML5007 and what the validator found: the architecture's fault, not the user's.</exception>
    public static void Built(Model model, string architecture, SourceLocation location) =>
        Made(model, $"Architecture {architecture} built", "architecture", location);

    private static void Made(Model model, string what, string maker, SourceLocation location)
    {
        var errors = Check(model).Where(d => d.Severity == Severity.Error).ToList();
        if (errors.Count > 0)
        {
            throw new DiagnosticException([new("BML5007",
                $"{what} a model that is not valid ONNX; this is a defect of the {maker}, report it to its author.", location), .. errors]);
        }
    }

    // An empty graph is valid ONNX, and of no use.
    private static IReadOnlyList<Diagnostic> Check(Model model) => model.Graph.Outputs.Count > 0 ? model.Validate()
        : [.. model.Validate(), new Diagnostic("BML5005", "The model has no outputs; expected one that computes something.", model.Path is null ? null : new(model.Path))];
}
