using System.CommandLine;
using Build.ML.Cli.Output;
using Build.ML.Cli.Running;
using Spectre.Console;

namespace Build.ML.Cli.Commands;

/// <summary>Counts what the cache holds.</summary>
[Command("cache stats")]
public sealed class CacheStatsCommand : ICliCommand
{
    private readonly CacheArguments _cache = new();

    /// <inheritdoc/>
    public string Description => "Show where the cache is and how full.";

    /// <inheritdoc/>
    public void Define(Command command) => _cache.AddTo(command);

    /// <inheritdoc/>
    public int Run(Invocation invocation)
    {
        using var store = _cache.Open(invocation);
        var s = store.Statistics();
        var (checkpoints, bytes) = _cache.Checkpoints(invocation).Statistics();
        invocation.Show(new Result(_cache.Path(invocation), s.Artifacts, s.Contents, s.Bytes, s.UnreferencedBytes, checkpoints, bytes), Render);
        return ExitCodes.Success;
    }

    private static void Render(Result result, IAnsiConsole console)
    {
        console.WriteLine($"folder     {result.Path}");
        console.WriteLine($"artifacts  {Figures.Count(result.Artifacts)}");
        console.WriteLine($"contents   {Figures.Count(result.Contents)}");
        console.WriteLine($"size       {Figures.Bytes(result.Bytes)}, {Figures.Bytes(result.UnreferencedBytes)} of it unused");
        if (result.Checkpoints > 0)
        {
            console.WriteLine($"killed     {Figures.Count(result.Checkpoints)} steps can go on, checkpoints of {Figures.Bytes(result.CheckpointBytes)}");
        }
    }

    private sealed record Result(string Path, int Artifacts, int Contents, long Bytes, long UnreferencedBytes, int Checkpoints, long CheckpointBytes);
}
