using System.CommandLine;
using Build.ML.Graph.Diagnostics;
using Spectre.Console;

namespace Build.ML.Cli;

/// <summary>One run of a command.</summary>
/// <param name="command">Name of the command.</param>
/// <param name="arguments">What the user typed.</param>
/// <param name="context">What surrounds the run.</param>
/// <param name="isJson">Whether the result goes out as JSON.</param>
/// <param name="cancellation">Stops the command.</param>
public sealed class Invocation(string command, ParseResult arguments, CliContext context, bool isJson, CancellationToken cancellation)
{
    private readonly List<Diagnostic> _diagnostics = [];

    /// <summary>Name of the command.</summary>
    public string Command => command;

    /// <summary>What surrounds the run.</summary>
    public CliContext Context => context;

    /// <summary>Whether the result goes out as JSON and nothing else goes to the output.</summary>
    public bool IsJson => isJson;

    /// <summary>Stops the command.</summary>
    public CancellationToken Cancellation => cancellation;

    /// <summary>Everything reported so far.</summary>
    public IReadOnlyList<Diagnostic> Diagnostics => _diagnostics;

    /// <summary>What <c>--json</c> prints as <c>result</c>; null until there is something.</summary>
    public object? Result { get; private set; }

    /// <summary>The value of an option, its default where the user gave none.</summary>
    public T? Get<T>(Option<T> option) => arguments.GetValue(option);

    /// <summary>The value of an argument, its default where the user gave none.</summary>
    public T? Get<T>(Argument<T> argument) => arguments.GetValue(argument);

    /// <summary>A required argument as a full path.</summary>
    public string GetPath(Argument<string> argument) => context.FullPath(arguments.GetRequiredValue(argument));

    /// <summary>Prints a diagnostic to the error output and keeps it for the JSON.</summary>
    public void Report(Diagnostic diagnostic)
    {
        _diagnostics.Add(diagnostic);
        context.Error.WriteLine(Output.DiagnosticText.Of(diagnostic, context.Folder));
    }

    /// <summary>Gives the result: as JSON when asked for, else as text.</summary>
    /// <param name="result">Serializable; its shape is documented in docs/cli.md.</param>
    /// <param name="render">Writes it for people.</param>
    public void Show<T>(T result, Action<T, IAnsiConsole> render)
        where T : class
    {
        Result = result;
        if (!isJson)
        {
            render(result, context.CreateConsole());
        }
    }
}
