using System.CommandLine;
using Build.ML.Cli.Output;
using Build.ML.Cli.Running;
using Spectre.Console;

namespace Build.ML.Cli.Commands;

/// <summary>Reads the whole cache and drops what is damaged.</summary>
[Command("cache verify")]
public sealed class CacheVerifyCommand : ICliCommand
{
    private readonly CacheArguments _cache = new();

    /// <inheritdoc/>
    public string Description => "Read everything in the cache and drop what is damaged; exit code 1 if anything was.";

    /// <inheritdoc/>
    public void Define(Command command) => _cache.AddTo(command);

    /// <inheritdoc/>
    public int Run(Invocation invocation)
    {
        using var store = _cache.Open(invocation);
        var damaged = store.Verify(invocation.Cancellation);
        foreach (var diagnostic in damaged)
        {
            invocation.Report(diagnostic);
        }

        var statistics = store.Statistics();
        invocation.Show(new Result(damaged.Count, statistics.Artifacts, statistics.Bytes), Render);
        return damaged.Count == 0 ? ExitCodes.Success : ExitCodes.Failure;
    }

    private static void Render(Result result, IAnsiConsole console) => console.WriteLine(
        $"{Figures.Count(result.Artifacts)} artifacts, {Figures.Bytes(result.Bytes)}: "
        + (result.Dropped == 0 ? "all good." : $"{Figures.Count(result.Dropped)} things were damaged and dropped."));

    private sealed record Result(int Dropped, int Artifacts, long Bytes);
}
