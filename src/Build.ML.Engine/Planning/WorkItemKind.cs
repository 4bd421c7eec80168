namespace Build.ML.Engine;

/// <summary>What a work item does.</summary>
public enum WorkItemKind
{
    /// <summary>Resolves and checks the source model, or builds it.</summary>
    Source,

    /// <summary>Runs a technique.</summary>
    Step,

    /// <summary>Measures one model: <c>metrics.json</c>.</summary>
    Evaluate,

    /// <summary>Prints the table of a recipe and fails where a gate does not hold.</summary>
    Report,

    /// <summary>Places the recipe's outputs and their provenance into <c>out/</c>.</summary>
    Output,
}
