namespace Build.ML.Graph.Passes;

/// <summary>
/// A transformation that keeps what a model computes and the names of its inputs and outputs. A pass changes only what it can prove to be equal; what it
/// does not understand it leaves. A sealed class with <see cref="GraphPassAttribute"/> is all it takes to add one.
/// </summary>
public interface IGraphPass
{
    /// <summary>Transforms the model in place, subgraphs included.</summary>
    /// <returns>Number of changes made; 0 when the model is as before.</returns>
    /// <exception cref="Diagnostics.DiagnosticException">The pass was asked for something the model does not allow.</exception>
    int Run(Model model);
}
