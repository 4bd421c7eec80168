namespace Build.ML.Abstractions.Inference;

/// <summary>A model bound to buffers, ready to run. Not for use by several threads at once.</summary>
public interface IBoundSession : IDisposable
{
    /// <summary>Runs the model once: reads the buffers of its inputs as they are now and writes those of its outputs.</summary>
    /// <param name="cancellation">Stops in the middle of a run, after which the outputs hold anything.</param>
    /// <exception cref="OperationCanceledException">The run was stopped.</exception>
    /// <exception cref="Graph.Diagnostics.DiagnosticException">The runtime failed.</exception>
    void Run(CancellationToken cancellation = default);
}
