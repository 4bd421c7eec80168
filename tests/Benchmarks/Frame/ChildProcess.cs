using System.Diagnostics;
using System.Globalization;

namespace Build.ML.Benchmarks.Frame;

/// <summary>What a child process took.</summary>
/// <param name="Seconds">From start to end of the process, start-up of the runtime included.</param>
/// <param name="OwnSeconds">What the child itself measured around its work.</param>
/// <param name="PeakBytes">Largest resident memory it had.</param>
/// <param name="Output">What it printed, but for the measurements.</param>
public sealed record ChildOutcome(double Seconds, double OwnSeconds, long PeakBytes, string Output);

/// <summary>Runs processes and measures them.</summary>
public static class ChildProcess
{
    private const string Marker = "#child ";

    /// <summary>Runs this program with other arguments.</summary>
    public static ChildOutcome RunSelf(IReadOnlyList<string> arguments, TimeSpan? limit = null)
    {
        var entry = typeof(ChildProcess).Assembly.Location;
        var start = Stopwatch.GetTimestamp();
        var output = Run(Environment.ProcessPath!, Path.GetFileNameWithoutExtension(Environment.ProcessPath) == "dotnet" ? [entry, .. arguments] : arguments, limit);
        var seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        var lines = output.Split('\n', StringSplitOptions.TrimEntries);
        var numbers = Array.FindLast(lines, l => l.StartsWith(Marker, StringComparison.Ordinal))![Marker.Length..].Split(' ');
        return new ChildOutcome(
            seconds,
            double.Parse(numbers[0], CultureInfo.InvariantCulture),
            long.Parse(numbers[1], CultureInfo.InvariantCulture),
            string.Join('\n', lines.Where(l => !l.StartsWith(Marker, StringComparison.Ordinal))));
    }

    /// <summary>Starts this program with other arguments; its output is redirected, what it says on the error stream is not.</summary>
    public static Process StartSelf(IReadOnlyList<string> arguments)
    {
        var entry = typeof(ChildProcess).Assembly.Location;
        var isHost = Path.GetFileNameWithoutExtension(Environment.ProcessPath) == "dotnet";
        return Process.Start(new ProcessStartInfo(Environment.ProcessPath!, isHost ? [entry, .. arguments] : arguments) { RedirectStandardOutput = true })!;
    }

    /// <summary>Runs a program to its end and returns what it printed.</summary>
    /// <exception cref="InvalidOperationException">Its exit code is not 0, or it took longer than the limit and was ended.</exception>
    public static string Run(string program, IReadOnlyList<string> arguments, TimeSpan? limit = null)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        var error = process.StandardError.ReadToEndAsync();
        var output = process.StandardOutput.ReadToEndAsync();
        if (!process.WaitForExit(limit ?? Timeout.InfiniteTimeSpan))
        {
            process.Kill(entireProcessTree: true);
            throw new InvalidOperationException($"{program} {string.Join(' ', arguments)} was ended after {limit}:\n{output.Result}\n{error.Result}");
        }

        return process.ExitCode == 0
            ? output.Result
            : throw new InvalidOperationException($"{program} {string.Join(' ', arguments)} ended with {process.ExitCode}:\n{output.Result}\n{error.Result}");
    }

    /// <summary>Whether a program is found in the search path.</summary>
    public static bool Exists(string program) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator).Any(folder => File.Exists(Path.Combine(folder, program)));

    /// <summary>In the child: does the work and prints what it took.</summary>
    internal static void Report(Action work)
    {
        var seconds = Interleaved.Seconds(work);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{Marker}{seconds} {PeakMemory()}"));
    }

    /// <summary>Largest resident memory this process had so far, in bytes.</summary>
    public static long PeakMemory()
    {
        // PeakWorkingSet64 is what the kernel has too, where it keeps VmHWM; read it itself on Linux.
        if (OperatingSystem.IsLinux())
        {
            var line = File.ReadLines("/proc/self/status").First(l => l.StartsWith("VmHWM:", StringComparison.Ordinal));
            return long.Parse(line.AsSpan("VmHWM:".Length, line.Length - "VmHWM:".Length - " kB".Length).Trim(), CultureInfo.InvariantCulture) * 1024;
        }

        using var self = Process.GetCurrentProcess();
        return self.PeakWorkingSet64;
    }
}
