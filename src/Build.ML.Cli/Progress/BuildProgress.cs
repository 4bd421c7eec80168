using Build.ML.Engine;
using Spectre.Console;

namespace Build.ML.Cli.Progress;

/// <summary>Shows a running build.</summary>
internal static class BuildProgress
{
    /// <summary>Runs a build and shows how it goes: in place on a terminal, by lines elsewhere, not at all for JSON.</summary>
    /// <param name="invocation">Diagnostics go there.</param>
    /// <param name="plan">What is built.</param>
    /// <param name="build">Builds, telling an observer.</param>
    public static BuildOutcome Watch(Invocation invocation, Plan plan, Func<IBuildObserver, BuildOutcome> build)
    {
        if (invocation.IsJson)
        {
            return build(new DiagnosticObserver(invocation.Report));
        }

        var console = invocation.Context.CreateConsole();
        if (!invocation.Context.IsTerminal)
        {
            return build(new LineObserver(console, invocation.Report, invocation.Context.TimeProvider));
        }

        // Errors would be written over the bars: they follow when these are gone.
        var later = new List<Graph.Diagnostics.Diagnostic>();
        try
        {
            return console.Progress().AutoClear(true).HideCompleted(true)
                .Columns(
                    new TaskDescriptionColumn { Alignment = Justify.Left }, new ProgressBarColumn { Width = 24 }, new PercentageColumn(),
                    new RemainingColumn(), new SpinnerColumn())
                .Start(bars => build(new BarObserver(bars, console, later.Add, plan)));
        }
        finally
        {
            later.ForEach(invocation.Report);
        }
    }
}
