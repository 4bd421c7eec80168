namespace Build.ML.Graph.Diagnostics;

/// <summary>
/// The one exception for what a user can mend: a wrong recipe, a broken model, missing data. It carries every violation
/// found, not only the first. A bug in the program is any other exception, with its stack trace.
/// </summary>
public sealed class DiagnosticException : Exception
{
    /// <summary>Creates the exception from one or more diagnostics.</summary>
    /// <param name="diagnostics">At least one.</param>
    public DiagnosticException(params IReadOnlyList<Diagnostic> diagnostics)
        : base(string.Join(Environment.NewLine, diagnostics)) => Diagnostics = diagnostics;

    /// <summary>Creates the exception from one error.</summary>
    /// <param name="code">Stable code, see docs/errors.md.</param>
    /// <param name="message">Actual, expected, and what to do next.</param>
    /// <param name="location">Where, if a file is concerned.</param>
    public DiagnosticException(string code, string message, SourceLocation? location = null)
        : this(new Diagnostic(code, message, location))
    {
    }

    /// <summary>All violations, in the order found.</summary>
    public IReadOnlyList<Diagnostic> Diagnostics { get; }
}
