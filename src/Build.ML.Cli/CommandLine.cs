using System.CommandLine;
using System.CommandLine.Invocation;
using Build.ML.Cli.Output;
using Build.ML.Graph.Catalogs;
using Build.ML.Graph.Diagnostics;
using Build.ML.Recipes;

namespace Build.ML.Cli;

/// <summary>The command line as a whole: finds the commands, runs the one asked for, and turns how it ended into an exit code.</summary>
public static class CommandLine
{
    private const string JsonName = "--json";

    /// <summary>Runs one command.</summary>
    /// <param name="args">What the user typed behind <c>buildml</c>.</param>
    /// <param name="context">What surrounds the run.</param>
    /// <param name="cancellation">Stops the command.</param>
    /// <returns>One of <see cref="ExitCodes"/>.</returns>
    public static int Run(IReadOnlyList<string> args, CliContext context, CancellationToken cancellation)
    {
        var root = CreateRoot((name, command, arguments) => Execute(name, command, arguments, context, cancellation));
        var parsed = root.Parse(args.Count == 0 ? ["--help"] : args);
        return parsed.Action is ParseErrorAction
            ? Reject(parsed, context)
            : parsed.Invoke(new InvocationConfiguration
            {
                Output = context.Output,
                Error = context.Error,
                EnableDefaultExceptionHandler = false,
                ProcessTerminationTimeout = null,
            });
    }

    private static RootCommand CreateRoot(Func<string, ICliCommand, ParseResult, int> execute)
    {
        var root = new RootCommand("Compresses machine-learning models as recipes say, incrementally and cached.")
        {
            new Option<bool>(JsonName) { Description = "Print the result as one JSON document on stdout.", Recursive = true },
        };
        // In ordinal order of names, so a group comes before its commands.
        foreach (var entry in Catalog<ICliCommand>.Scan(typeof(CommandLine).Assembly))
        {
            var (name, implementation) = (entry.Name, entry.Create());
            var words = name.Split(' ');
            var parent = words[..^1].Aggregate<string, Command>(root, (at, word) => at.Subcommands.First(c => c.Name == word));
            var command = new Command(words[^1], implementation.Description);
            implementation.Define(command);
            RejectUnknownOptions(command);
            if (!implementation.IsGroup)
            {
                command.SetAction(arguments => execute(name, implementation, arguments));
            }

            parent.Add(command);
        }

        return root;
    }

    // An option that does not exist would be taken for a file. One whose name does start with a dash can be given as ./-name.
    private static void RejectUnknownOptions(Command command)
    {
        foreach (var argument in command.Arguments)
        {
            argument.Validators.Add(result =>
            {
                foreach (var name in result.Tokens.Select(t => t.Value).Where(t => t.Length > 1 && t[0] == '-'))
                {
                    result.AddError($"There is no option '{name}'.{Suggestion.For(name, command.Options.Select(o => o.Name).Append(JsonName))}");
                }
            });
        }
    }

    private static int Execute(string name, ICliCommand command, ParseResult arguments, CliContext context, CancellationToken cancellation)
    {
        var invocation = new Invocation(name, arguments, context, arguments.GetValue<bool>(JsonName), cancellation);
        var exitCode = Guard(command, invocation);
        if (invocation.IsJson)
        {
            JsonOutput.Write(context.Output, name, exitCode, invocation.Diagnostics, invocation.Result);
        }

        return exitCode;
    }

    private static int Guard(ICliCommand command, Invocation invocation)
    {
        try
        {
            return command.Run(invocation);
        }
        catch (DiagnosticException e)
        {
            foreach (var diagnostic in e.Diagnostics)
            {
                invocation.Report(diagnostic);
            }

            return ExitCodes.Usage;
        }
        catch (OperationCanceledException) when (invocation.Cancellation.IsCancellationRequested)
        {
            invocation.Report(new("BML8003", "Interrupted. What was done before stays done; run the command again to go on from there."));
            return ExitCodes.Interrupted;
        }
        catch (Exception e) // The process boundary: whatever it is, it ends with a code, a message and its stack trace.
        {
            invocation.Report(new("BML9001", $"A bug in buildml: please report the lines below.{Environment.NewLine}{e}"));
            return ExitCodes.Internal;
        }
    }

    private static int Reject(ParseResult parsed, CliContext context)
    {
        var command = string.Join(' ', PathOf(parsed.CommandResult).Reverse());
        var hint = $"See 'buildml {command}{(command.Length > 0 ? " " : "")}--help'.";
        // A mistyped command would also be reported as a missing one, and all behind it as unknown.
        var messages = parsed is { UnmatchedTokens: [var typed, ..], CommandResult.Command.Subcommands.Count: > 0 }
            ? [$"There is no command '{typed}'.{Suggestion.For(typed, parsed.CommandResult.Command.Subcommands.Select(c => c.Name))}"]
            : parsed.Errors.Select(e => e.Message);
        var diagnostics = messages.Select(m => new Diagnostic("BML8001", $"{m} {hint}")).ToList();
        diagnostics.ForEach(d => context.Error.WriteLine(d));
        if (parsed.Tokens.Any(t => t.Value == JsonName))
        {
            JsonOutput.Write(context.Output, command, ExitCodes.Usage, diagnostics, null);
        }

        return ExitCodes.Usage;
    }

    private static IEnumerable<string> PathOf(System.CommandLine.Parsing.CommandResult? result)
    {
        for (; result is not null && result.Command is not RootCommand; result = result.Parent as System.CommandLine.Parsing.CommandResult)
        {
            yield return result.Command.Name;
        }
    }
}
