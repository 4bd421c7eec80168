using Build.ML.Engine;

namespace Build.ML.Cli.Running;

/// <summary>An item of a plan as <c>--json</c> prints it.</summary>
/// <param name="Id"><c>recipe/name</c>.</param>
/// <param name="Recipe">Name of the recipe.</param>
/// <param name="Name">Name in the recipe.</param>
/// <param name="Kind">What it does.</param>
/// <param name="Technique">Technique of a step, else empty.</param>
/// <param name="Needs">Ids of the items it reads.</param>
/// <param name="Key">SHA-256 of its own definition.</param>
/// <param name="Directory">Where its result is or will be.</param>
/// <param name="WouldRun">Whether a build would run it, or take it from the cache.</param>
/// <param name="Reasons">Why, or why not.</param>
internal sealed record PlannedItem(
    string Id, string Recipe, string Name, WorkItemKind Kind, string Technique, IReadOnlyList<string> Needs, string Key, string Directory,
    bool WouldRun, IReadOnlyList<string> Reasons)
{
    public static PlannedItem Of(WorkItem item, Explanation explanation) => new(
        item.Id, item.Recipe, item.Name, item.Kind, item.Technique, item.Needs, item.Key, item.Directory, explanation.WouldRun, explanation.Reasons);
}
