using System.CommandLine;
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
    public string Description => "Drop the least recently used artifacts until the rest fits.";

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
        var dropped = store.Collect(invocation.Get(_limit) ?? _cache.Options(invocation).CacheLimit);
        invocation.Show(new Result(dropped.Artifacts, dropped.Bytes, store.Statistics().Bytes), Render);
        return ExitCodes.Success;
    }

    private static void Render(Result result, IAnsiConsole console) => console.WriteLine(
        $"Dropped {Figures.Count(result.DroppedArtifacts)} artifacts, {Figures.Bytes(result.DroppedBytes)}; {Figures.Bytes(result.Bytes)} stay.");

    private sealed record Result(int DroppedArtifacts, long DroppedBytes, long Bytes);
}
