using Build.ML.Graph;
using Build.ML.Graph.Diagnostics;
using Build.ML.Recipes;

namespace Build.ML.Engine.Work;

/// <summary>Looks at models before others rely on them.</summary>
internal static class ModelCheck
{
    /// <summary>Checks what a technique made.</summary>
    /// <exception cref="DiagnosticException">BML5007 for each thing that is wrong: the technique's fault, not the user's.</exception>
    public static void Result(Model model, Step step)
    {
        if (model.Graph.Outputs.Count == 0)
        {
            throw new DiagnosticException("BML5007",
                $"Technique {step.Technique} returned a model without outputs; this is a defect of the technique, report it to its author.", step.Location);
        }
    }

    /// <summary>Checks the model a recipe starts from.</summary>
    /// <exception cref="DiagnosticException">BML5006: it cannot be worked with.</exception>
    public static void Source(Model model, SourceLocation location)
    {
        if (model.Graph.Outputs.Count == 0)
        {
            throw new DiagnosticException("BML5006", $"The model has no outputs; expected one that computes something.", location);
        }
    }
}
