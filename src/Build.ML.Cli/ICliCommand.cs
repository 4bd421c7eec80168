using System.CommandLine;

namespace Build.ML.Cli;

/// <summary>
/// A command of the command line, or a group of commands. A sealed class with <see cref="CommandAttribute"/> is all it takes to add one.
/// </summary>
public interface ICliCommand
{
    /// <summary>One sentence for the help.</summary>
    string Description { get; }

    /// <summary>Adds arguments and options to the command.</summary>
    void Define(Command command);

    /// <summary>Whether this is a group: it is not run itself.</summary>
    bool IsGroup => false;

    /// <summary>Runs the command.</summary>
    /// <returns>One of <see cref="ExitCodes"/>.</returns>
    /// <exception cref="Graph.Diagnostics.DiagnosticException">What the user can mend; ends with <see cref="ExitCodes.Usage"/>.</exception>
    int Run(Invocation invocation);
}
