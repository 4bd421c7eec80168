namespace Build.ML.Pruning.Structured.Importances;

/// <summary>
/// What tells which positions of an axis (channels, neurons, heads) count least. A sealed record with <see cref="ImportanceAttribute"/> in a file of its own adds one; its public properties
/// are its options.
/// </summary>
public abstract record Importance
{
    /// <summary>Scores every position of the axes asked for.</summary>
    /// <param name="context">The model, its axes, data.</param>
    /// <returns>For each axis, in their order, one finite score a position: greater ones stay. Scores of different axes are compared with each other where the scope is global.</returns>
    /// <exception cref="Graph.Diagnostics.DiagnosticException">The model or the data lacks what the importance is made of.</exception>
    public abstract IReadOnlyList<float[]> Score(ImportanceContext context);
}
