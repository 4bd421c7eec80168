using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Build.ML.EndToEnd;

/// <summary>Which processes a build starts and leaves behind. Signals are Unix's; on Windows the same paths are a closed pipe and a gone parent.</summary>
[Collection(EndToEndTests.Name)]
public sealed partial class ProcessLifeTests(PackedFeed feed)
{
    const int Interrupt = 2, Kill = 9, Terminate = 15;
    static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    [SkippableTheory]
    [InlineData(Interrupt)]
    [InlineData(Terminate)]
    [InlineData(Kill)]
    public void A_build_that_is_ended_takes_its_worker_with_it(int signal)
    {
        Prerequisite.Require(!OperatingSystem.IsWindows(), "needs Unix signals: run this test on Linux or macOS");
        using var project = new Scenario(feed, recipe: "a -\nb a hang\n");
        Assert.Equal(0, project.Command("restore", "app").ExitCode);
        using var build = project.Start(null, "build", "app", "--no-restore");
        var output = DotNet.Collect(build);
        var worker = AwaitWorker(project);

        Assert.Equal(0, SendSignal(build.Id, signal));

        Assert.True(worker.WaitForExit(Patience), $"the worker outlived its build:\n{output}");
        Assert.True(build.WaitForExit(Patience), $"the build did not end:\n{output}");
        Assert.True(project.Exists("app/obj/buildml/r/a.stamp"));
        Assert.False(project.Exists("app/obj/buildml/r/b.stamp"));

        // Nothing of the ended build is in the way of the next one.
        project.Write("app/r.buildml.yaml", "a -\nb a\n");
        project.Rebuild().Did(ran: "b out", skipped: "a");
    }

    [Fact]
    public void A_worker_ends_with_its_input()
    {
        using var worker = StartWorker(parent: Environment.ProcessId);
        worker.StandardInput.Close();
        Assert.True(worker.WaitForExit(Patience), "the worker outlived its input");
        Assert.Equal(0, worker.ExitCode);
    }

    [Fact]
    public void A_worker_ends_with_its_parent_though_its_input_stays_open()
    {
        using var parent = StartWorker(parent: Environment.ProcessId); // any process will do
        using var worker = StartWorker(parent.Id);
        worker.StandardInput.WriteLine("""{"id":1,"method":"nothing"}""");
        Assert.Contains("BML7004", worker.StandardOutput.ReadLine(), StringComparison.Ordinal); // it serves

        parent.Kill();

        Assert.True(worker.WaitForExit(Patience), "the worker outlived its parent");
    }

    [Fact]
    public void With_node_reuse_a_worker_lives_as_long_as_its_build()
    {
        using var project = new Scenario(feed, recipe: "a -\n");
        var reuse = new Dictionary<string, string>(StringComparer.Ordinal) { ["MSBUILDDISABLENODEREUSE"] = "0" };
        foreach (var text in new[] { "a -\n", "a - text:other\n" })
        {
            project.Write("app/r.buildml.yaml", text);
            using var build = project.Start(reuse, "build", "app", "-m:2");
            var output = DotNet.Collect(build);
            Assert.True(build.WaitForExit(TimeSpan.FromMinutes(2)), output.ToString());
            Assert.True(build.ExitCode == 0, output.ToString());
            Assert.Empty(Workers(project));
        }
        Assert.Equal("other", project.Read("app/obj/buildml/r/a/a.txt"));
        DotNet.Run(project.Folder, feed.Environment, "build-server", "shutdown");
    }

    [Fact]
    public void Watch_builds_again_when_a_recipe_changes()
    {
        using var project = new Scenario(feed, recipe: "a - text:one\n");
        project.Write("app/Program.cs", "System.Console.WriteLine(\"started\"); System.Threading.Thread.Sleep(-1);");
        project.WriteProject("app/app.csproj", "<OutputType>Exe</OutputType><UseAppHost>true</UseAppHost>");
        using var watch = project.Start(null, "watch", "--project", "app", "--non-interactive", "--no-hot-reload", "run");
        var output = DotNet.Collect(watch);
        try
        {
            Await(() => Text(output).Contains("started", StringComparison.Ordinal), () => $"the application did not start:\n{Text(output)}");
            Assert.Equal("one", project.Read("app/obj/buildml/r/a/a.txt"));

            project.Write("app/r.buildml.yaml", "a - text:two\n");
            Await(() => project.Read("app/obj/buildml/r/a/a.txt") == "two", () => $"the change was not seen:\n{Text(output)}");
        }
        finally
        {
            watch.Kill(entireProcessTree: true);
            watch.WaitForExit();
        }

        static string Text(System.Text.StringBuilder output)
        {
            lock (output)
                return output.ToString();
        }
    }

    static Process StartWorker(int parent) => Process.Start(new ProcessStartInfo(
        "dotnet", ["exec", Repository.PathOf("src", "Build.ML.Worker", "bin", Repository.Configuration, "net10.0", "buildml-worker.dll"), "--parent", parent.ToString()])
    {
        RedirectStandardInput = true,
        RedirectStandardOutput = true,
    })!;

    // Every scenario uses the same worker: its current folder, which it has from its build, tells whose it is.
    static Process AwaitWorker(Scenario project)
    {
        Process? found = null;
        Await(() => project.Exists("app/obj/buildml/r/a.stamp") && (found = Workers(project).FirstOrDefault()) is not null, () => "no worker was started");
        return found!;
    }

    static IEnumerable<Process> Workers(Scenario project) =>
        Process.GetProcessesByName("dotnet").Where(p => CommandLine(p.Id) is var line
            && line.Contains(Scenario.TestWorker, StringComparison.Ordinal) && WorksIn(p.Id, project));

    static bool WorksIn(int id, Scenario project) =>
        Directory.Exists($"/proc/{id}") && File.ResolveLinkTarget($"/proc/{id}/cwd", returnFinalTarget: true) is { } folder
        && folder.FullName.StartsWith(project.Folder, StringComparison.Ordinal);

    static string CommandLine(int id)
    {
        try
        {
            return File.ReadAllText($"/proc/{id}/cmdline");
        }
        catch (IOException)
        {
            return ""; // it ended in the meantime, or the system has no /proc
        }
    }

    static void Await(Func<bool> condition, Func<string> message)
    {
        var waiting = Stopwatch.StartNew();
        using var never = new ManualResetEventSlim();
        while (!condition())
        {
            Assert.True(waiting.Elapsed < TimeSpan.FromMinutes(1.5), message());
            never.Wait(50);
        }
    }

    [LibraryImport("libc", EntryPoint = "kill")]
    private static partial int SendSignal(int process, int signal);
}
