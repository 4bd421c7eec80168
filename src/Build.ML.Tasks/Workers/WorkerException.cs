namespace Build.ML.Tasks.Workers;

/// <summary>The worker cannot be started, or ended in the middle of its work.</summary>
/// <param name="code">Code of the diagnostic.</param>
/// <param name="message">What happened and what to do.</param>
public sealed class WorkerException(string code, string message) : Exception(message)
{
    /// <summary>Code of the diagnostic.</summary>
    public string Code { get; } = code;
}
