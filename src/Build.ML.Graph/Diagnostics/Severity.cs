namespace Build.ML.Graph.Diagnostics;

/// <summary>How grave a <see cref="Diagnostic"/> is.</summary>
public enum Severity
{
    /// <summary>The work cannot be done; the build fails.</summary>
    Error,

    /// <summary>The work was done, and the user should know something about it.</summary>
    Warning,

    /// <summary>A fact for the log.</summary>
    Info,
}
