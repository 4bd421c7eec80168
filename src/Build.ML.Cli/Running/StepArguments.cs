using System.CommandLine;
using Build.ML.Engine;
using Build.ML.Graph.Diagnostics;
using Build.ML.Recipes;

namespace Build.ML.Cli.Running;

/// <summary>Which items of a plan are meant.</summary>
/// <param name="description">For the help.</param>
internal sealed class StepArguments(string description)
{
    private readonly Option<string[]> _steps = new("--step") { Description = description };

    /// <summary>Adds the option to a command.</summary>
    public void AddTo(Command command) => command.Add(_steps);

    /// <summary>Ids of the items meant by name or id; null when none was named, which means all.</summary>
    /// <exception cref="DiagnosticException">BML8005: every name that no item has.</exception>
    public IReadOnlyCollection<string>? Select(Invocation invocation, Plan plan)
    {
        var names = invocation.Get(_steps)!;
        var unknown = names.Where(n => !plan.Items.Any(i => Is(i, n)))
            .Select(n => new Diagnostic("BML8005", $"No recipe has a step '{n}'.{Suggestion.For(n, plan.Items.Select(i => i.Name))}")).ToList();
        return unknown.Count > 0 ? throw new DiagnosticException(unknown)
            : names.Length == 0 ? null
            : [.. plan.Items.Where(i => names.Any(n => Is(i, n))).Select(i => i.Id)];
    }

    private static bool Is(WorkItem item, string name) => item.Name == name || item.Id == name;
}
