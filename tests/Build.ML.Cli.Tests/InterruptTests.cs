using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Build.ML.Cli.Tests;

public sealed partial class InterruptTests
{
    private const int Interrupt = 2;
    private const int Terminate = 15;

    [SkippableTheory]
    [InlineData(Interrupt)]
    [InlineData(Terminate)]
    public async Task A_signal_stops_a_build_at_once_and_the_next_build_goes_on(int signal)
    {
        Skip.If(OperatingSystem.IsWindows(), "signals are sent with kill(2); run on Linux or macOS");
        using var terminal = new Terminal();
        terminal.SaveModel("model.onnx");
        terminal.Write("net.buildml.yaml", """
            recipe: net
            model: model.onnx
            data: { lines: { reader: csv, file: lines.csv } }
            steps: [ { id: sparse, use: prune.magnitude, with: { sparsity: 0.5 } } ]
            evaluate: { data: lines, metrics: [ { use: latency, runs: 1000000 } ] }
            """);
        var header = string.Join(',', Enumerable.Range(0, Terminal.Rows).Select(i => $"c{i}"));
        terminal.Write("lines.csv", $"{header}\n{string.Join(',', Enumerable.Repeat("1", Terminal.Rows))}\n");
        var start = new ProcessStartInfo(Repository.PathOf("src", "Build.ML.Cli", "bin", Repository.Configuration, "net10.0", "buildml"))
        {
            ArgumentList = { "build", "--cache", "cache" },
            WorkingDirectory = terminal.Folder,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using var process = Process.Start(start)!;
        var error = process.StandardError.ReadToEndAsync();
        // The step is done before its evaluation, which would take minutes, begins.
        while (await process.StandardOutput.ReadLineAsync() is { } line && !line.Contains("net/sparse (prune.magnitude): ran", StringComparison.Ordinal))
        {
        }

        await Task.Delay(TimeSpan.FromSeconds(1));
        var watch = Stopwatch.StartNew();
        Assert.Equal(0, Kill(process.Id, signal));
        await process.WaitForExitAsync().WaitAsync(TimeSpan.FromSeconds(30));
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(15), $"took {watch.Elapsed}"); // two seconds of grace, and a busy machine
        Assert.Equal(ExitCodes.Interrupted, process.ExitCode);
        Assert.DoesNotContain("BML9001", await error);

        terminal.Write("net.buildml.yaml", (await File.ReadAllTextAsync(terminal.PathOf("net.buildml.yaml"))).Replace("1000000", "10", StringComparison.Ordinal));
        var next = terminal.Run("build", "--cache", "cache", "--json");
        Assert.Equal((ExitCodes.Success, ""), (next.Code, next.Error));
        Assert.Equal("up_to_date", (string)next.Result["items"]!.AsArray().Single(i => (string)i!["name"]! == "sparse")!["status"]!);
    }

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static partial int Kill(int process, int signal);
}
