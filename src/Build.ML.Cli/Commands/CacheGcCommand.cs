using System.CommandLine;
using Build.ML.Caching.Checkpoints;
using Build.ML.Cli.Output;
using Build.ML.Cli.Running;
using Spectre.Console;

namespace Build.ML.Cli.Commands;

/// <summary>Shrinks the cache.</summary>
[Command("cache gc")]
public sealed class CacheGcCommand : ICliCommand
{
    private readonly CacheArguments _cache = new();

    private readonly Option<long?> _limit = new("--limit")
    {
        Description = "Size that may stay, such as 500MB or 2GiB; 0 empties the cache. Default: what builds keep to, 20 GiB.",
        CustomParser = result =>
        {
            if (!ByteSize.TryParse(result.Tokens[0].Value, out var bytes))
            {
                result.AddError($"Option '--limit' cannot take '{result.Tokens[0].Value}': expected a size such as 500MB, 2GiB or 0.");
            }

            return bytes;
        },
    };

    /// <inheritdoc/>
    public string Description => "Drop the least recently used artifacts until the rest fits, and checkpoints of killed steps that nobody came back for.";

    /// <inheritdoc/>
    public void Define(Command command)
    {
        _cache.AddTo(command);
        command.Add(_limit);
    }

    /// <inheritdoc/>
    public int Run(Invocation invocation)
    {
        using var store = _cache.Open(invocation);
        var limit = invocation.Get(_limit) ?? _cache.Options(invocation).CacheLimit;
        var dropped = store.Collect(limit);
        var abandoned = _cache.Checkpoints(invocation).Collect(limit == 0 ? TimeSpan.Zero : CheckpointArea.MaximumAge);
        invocation.Show(new Result(dropped.Artifacts, dropped.Bytes, abandoned.Artifacts, abandoned.Bytes, store.Statistics().Bytes), Render);
        return ExitCodes.Success;
    }

    private static void Render(Result result, IAnsiConsole console) => console.WriteLine(
        $"Dropped {Figures.Count(result.DroppedArtifacts)} artifacts, {Figures.Bytes(result.DroppedBytes)}; {Figures.Bytes(result.Bytes)} stay."
        + (result.DroppedCheckpoints == 0 ? ""
            : $" Dropped checkpoints of {Figures.Count(result.DroppedCheckpoints)} killed steps, {Figures.Bytes(result.DroppedCheckpointBytes)}."));

    private sealed record Result(int DroppedArtifacts, long DroppedBytes, int DroppedCheckpoints, long DroppedCheckpointBytes, long Bytes);
}
