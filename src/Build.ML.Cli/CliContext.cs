using Spectre.Console;

namespace Build.ML.Cli;

/// <summary>What surrounds a run of the program. Tests make their own.</summary>
public sealed record CliContext
{
    private const int WidthWhenRedirected = 400; // wide enough that no table breaks its lines in a log

    /// <summary>Receives results.</summary>
    public required TextWriter Output { get; init; }

    /// <summary>Receives diagnostics.</summary>
    public required TextWriter Error { get; init; }

    /// <summary>Full path that relative paths start from.</summary>
    public required string Folder { get; init; }

    /// <summary>Full path of the folder of the built-in plugins, <c>Name/Name.dll</c> each.</summary>
    public string PluginFolder { get; init; } = Path.Combine(AppContext.BaseDirectory, "plugins");

    /// <summary>Whether <see cref="Output"/> is a terminal that can show progress in place. Default false.</summary>
    public bool IsTerminal { get; init; }

    /// <summary>Whether <see cref="Output"/> takes colours. Default false.</summary>
    public bool HasColors { get; init; }

    /// <summary>Clock of durations.</summary>
    public TimeProvider TimeProvider { get; init; } = TimeProvider.System;

    /// <summary>The surroundings of this process. Colours are left out where <c>NO_COLOR</c> is set (no-color.org).</summary>
    public static CliContext OfProcess()
    {
        var isTerminal = !Console.IsOutputRedirected && Environment.GetEnvironmentVariable("TERM") != "dumb";
        return new()
        {
            Output = Console.Out,
            Error = Console.Error,
            Folder = Path.GetFullPath("."),
            IsTerminal = isTerminal,
            HasColors = isTerminal && string.IsNullOrEmpty(Environment.GetEnvironmentVariable("NO_COLOR")),
        };
    }

    /// <summary>Tables, colours and progress on <see cref="Output"/>.</summary>
    public IAnsiConsole CreateConsole()
    {
        var console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Out = new AnsiConsoleOutput(Output),
            Ansi = IsTerminal ? AnsiSupport.Detect : AnsiSupport.No,
            ColorSystem = HasColors ? ColorSystemSupport.Detect : ColorSystemSupport.NoColors,
            Interactive = IsTerminal ? InteractionSupport.Yes : InteractionSupport.No,
            Enrichment = new ProfileEnrichment { UseDefaultEnrichers = false },
        });
        if (!IsTerminal)
        {
            console.Profile.Width = WidthWhenRedirected;
            console.Profile.Capabilities.Unicode = true;
        }

        return console;
    }

    /// <summary>A path of the user as a full path.</summary>
    public string FullPath(string path) => Path.GetFullPath(path, Folder);
}
