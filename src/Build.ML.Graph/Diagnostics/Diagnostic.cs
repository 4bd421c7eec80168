namespace Build.ML.Graph.Diagnostics;

/// <summary>One thing a user should know: what was found, what was expected, where, and what to do next.</summary>
/// <param name="Code">Stable code, <c>BML</c> and four digits, listed in docs/errors.md.</param>
/// <param name="Message">Actual value, expected value and the next thing to do, in one or two sentences.</param>
/// <param name="Location">Where; null when no file is concerned.</param>
/// <param name="Severity">Default <see cref="Severity.Error"/>.</param>
public sealed record Diagnostic(
    string Code, string Message, SourceLocation? Location = null, Severity Severity = Severity.Error)
{
    /// <summary>The canonical one-line form: <c>file(line,col): error BML1001: message</c>.</summary>
    public override string ToString()
    {
        var kind = Severity switch { Severity.Error => "error", Severity.Warning => "warning", _ => "info" };
        return Location is null ? $"{kind} {Code}: {Message}" : $"{Location}: {kind} {Code}: {Message}";
    }
}
