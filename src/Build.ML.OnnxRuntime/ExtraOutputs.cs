using System.Collections.Immutable;
using Build.ML.Graph;
using Build.ML.Graph.Diagnostics;

namespace Build.ML.OnnxRuntime;

/// <summary>Makes inner values of a model outputs of it.</summary>
internal static class ExtraOutputs
{
    /// <summary>Throws when a name is no value of the main graph: subgraphs' values exist only while their node runs.</summary>
    /// <exception cref="DiagnosticException">BML5103, one for each name.</exception>
    public static void Check(Model model, ImmutableArray<string> names)
    {
        var errors = names.Where(n => n.Length == 0 || model.Graph.Find(n) is null)
            .Select(n => new Diagnostic(
                "BML5103", $"'{n}' was asked for as an extra output, but no value of the main graph of {Describe(model)} has that name."))
            .ToArray();
        if (errors.Length > 0)
        {
            throw new DiagnosticException(errors);
        }
    }

    /// <summary>Adds the outputs that the model does not return yet; the runtime infers a type that is not known.</summary>
    public static void Add(Model model, ImmutableArray<string> names)
    {
        var returned = model.Graph.Outputs.Select(o => o.Name).ToHashSet(StringComparer.Ordinal);
        foreach (var name in names.Where(returned.Add))
        {
            model.Graph.AddOutput(model.Graph.Find(name)!);
        }
    }

    private static string Describe(Model model) => model.Path ?? $"'{model.Graph.Name}'";
}
