using System.CommandLine;

namespace Build.ML.Cli.Commands;

/// <summary>The group of commands on the artifact cache.</summary>
[Command("cache")]
public sealed class CacheCommand : ICliCommand
{
    /// <inheritdoc/>
    public string Description => "Look at, shrink or check the artifact cache.";

    /// <inheritdoc/>
    public bool IsGroup => true;

    /// <inheritdoc/>
    public void Define(Command command)
    {
    }

    /// <inheritdoc/>
    public int Run(Invocation invocation) => throw new InvalidOperationException("A group is not run.");
}
