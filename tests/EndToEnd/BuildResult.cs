using Microsoft.Build.Framework;
using Microsoft.Build.Logging.StructuredLogger;

namespace Build.ML.EndToEnd;

/// <summary>What a build did, from its binary log.</summary>
/// <param name="ExitCode">Exit code of the command.</param>
/// <param name="Output">What the user saw.</param>
/// <param name="Ran">Ids of the items whose task ran, in that order.</param>
/// <param name="Skipped">Ids of the items whose target MSBuild found up to date, in that order.</param>
/// <param name="Errors">Errors as <c>file(line,col): code: text</c>.</param>
/// <param name="Targets">Names of all targets that began.</param>
sealed record BuildResult(
    int ExitCode, string Output, IReadOnlyList<string> Ran, IReadOnlyList<string> Skipped, IReadOnlyList<string> Errors, IReadOnlyList<string> Targets)
{
    /// <summary>Whether the plan was asked of the worker: a process was started for that.</summary>
    internal bool StartedWorker { get; private init; }

    internal static BuildResult Read(int exitCode, string output, string binaryLog)
    {
        var (ran, skipped, errors, targets) = (new List<string>(), new List<string>(), new List<string>(), new List<string>());
        var names = new Dictionary<(int, int, int), string>();
        var started = false;
        Strings.Initialize(); // the reader needs MSBuild's texts, and ends silently without
        Exception? unreadable = null;
        var source = new BinLogReader();
        source.OnException += e => unreadable = e;
        source.AnyEventRaised += (_, e) =>
        {
            switch (e)
            {
                case TargetStartedEventArgs target:
                    names[(e.BuildEventContext!.NodeId, e.BuildEventContext.ProjectContextId, e.BuildEventContext.TargetId)] = target.TargetName;
                    targets.Add(target.TargetName);
                    break;
                case TaskStartedEventArgs { TaskName: "RunItem" }:
                    ran.Add(names[(e.BuildEventContext!.NodeId, e.BuildEventContext.ProjectContextId, e.BuildEventContext.TargetId)]);
                    break;
                case TargetSkippedEventArgs { SkipReason: TargetSkipReason.OutputsUpToDate } target when target.ProjectFile.EndsWith("steps.proj", StringComparison.Ordinal):
                    skipped.Add(target.TargetName);
                    break;
                case BuildErrorEventArgs error:
                    errors.Add($"{Path.GetFileName(error.File)}({error.LineNumber},{error.ColumnNumber}): {error.Code}: {error.Message}");
                    break;
                case BuildMessageEventArgs message when message.Message?.StartsWith("Build.ML: started worker", StringComparison.Ordinal) == true:
                    started = true;
                    break;
            }
        };
        source.Replay(binaryLog);
        Assert.True(unreadable is null, $"{binaryLog}: {unreadable}");
        return new BuildResult(exitCode, output, ran, skipped, errors, targets) { StartedWorker = started };
    }

    /// <summary>Asserts success, and exactly what ran and what MSBuild skipped (ids without the recipe, in any order).</summary>
    internal BuildResult Did(string ran, string skipped)
    {
        Assert.True(ExitCode == 0, Output);
        Assert.Equal((Sorted(ran.Split(' ', StringSplitOptions.RemoveEmptyEntries)), Sorted(skipped.Split(' ', StringSplitOptions.RemoveEmptyEntries))), (Sorted(Ran), Sorted(Skipped)));
        return this;

        static string Sorted(IEnumerable<string> ids) => string.Join(' ', ids.Select(id => id[(id.IndexOf('/', StringComparison.Ordinal) + 1)..]).Order(StringComparer.Ordinal));
    }
}
