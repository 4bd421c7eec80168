using System.Diagnostics;
using System.Text;

namespace Build.ML.EndToEnd;

/// <summary>Runs <c>dotnet</c> as a user would: nothing of the test run's own environment reaches it.</summary>
static class DotNet
{
    // A hang fails; a machine that is busy with other test projects does not. The longest command packs, which may build.
    static readonly TimeSpan Limit = TimeSpan.FromMinutes(10);

    /// <summary>Runs a command to its end.</summary>
    internal static (int ExitCode, string Output) Run(string folder, IReadOnlyDictionary<string, string> environment, params string[] arguments)
    {
        using var process = Start(folder, environment, arguments);
        var output = Collect(process);
        if (!process.WaitForExit(Limit))
        {
            process.Kill(entireProcessTree: true);
            Assert.Fail($"dotnet {string.Join(' ', arguments)} did not end within {Limit}:\n{output}");
        }
        process.WaitForExit(); // the rest of the output
        return (process.ExitCode, output.ToString());
    }

    /// <summary>Starts a command; its output has to be read.</summary>
    internal static Process Start(string folder, IReadOnlyDictionary<string, string> environment, params string[] arguments)
    {
        var start = new ProcessStartInfo("dotnet", arguments)
        {
            WorkingDirectory = folder,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var name in start.Environment.Keys.Where(IsOfTheTestRun).ToArray())
            start.Environment.Remove(name);
        foreach (var (name, value) in environment)
            start.Environment[name] = value;
        return Process.Start(start)!;
    }

    /// <summary>Gathers both outputs of a process; lock the result while the process runs.</summary>
    internal static StringBuilder Collect(Process process)
    {
        var output = new StringBuilder();
        void Add(object sender, DataReceivedEventArgs line)
        {
            if (line.Data is not null)
                lock (output)
                    output.AppendLine(line.Data);
        }
        process.OutputDataReceived += Add;
        process.ErrorDataReceived += Add;
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        return output;
    }

    // dotnet test tells its children where its own MSBuild is; CI changes what a build does.
    static bool IsOfTheTestRun(string name) =>
        name.StartsWith("MSBUILD", StringComparison.OrdinalIgnoreCase) || name.StartsWith("VSTEST", StringComparison.OrdinalIgnoreCase)
        || name is "DOTNET_HOST_PATH" or "CI" or "TargetFramework" or "NUGET_PACKAGES";
}
