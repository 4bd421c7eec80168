namespace Build.ML.Cli;

/// <summary>What the program's exit code says; documented in docs/cli.md.</summary>
public static class ExitCodes
{
    /// <summary>What was asked for was done.</summary>
    public const int Success = 0;

    /// <summary>A step failed, a gate does not hold, or damage was found.</summary>
    public const int Failure = 1;

    /// <summary>The command line, a recipe, a plugin or a model file is wrong: nothing was run.</summary>
    public const int Usage = 2;

    /// <summary>A bug of this program; its stack trace is on stderr.</summary>
    public const int Internal = 70;

    /// <summary>Ctrl-C or SIGTERM: 128 + SIGINT, as shells do.</summary>
    public const int Interrupted = 130;
}
