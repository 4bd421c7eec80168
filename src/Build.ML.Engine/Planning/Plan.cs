using System.Collections.Frozen;
using System.Collections.Immutable;

namespace Build.ML.Engine;

/// <summary>What has to be done for a set of recipes, in an order in which it can be done. Making a plan runs nothing and writes nothing.</summary>
public sealed class Plan
{
    private readonly FrozenDictionary<string, WorkItem> _byId;
    private readonly FrozenDictionary<string, int> _width;

    internal Plan(ImmutableArray<WorkItem> items, IReadOnlyList<PlanInput> inputs)
    {
        Items = items;
        Inputs = inputs;
        _byId = items.ToFrozenDictionary(i => i.Id, StringComparer.Ordinal);
        _width = Widths(items);
    }

    /// <summary>All items in topological order; the order of steps in the recipes where that leaves a choice.</summary>
    public IReadOnlyList<WorkItem> Items { get; }

    /// <summary>Every file read for the plan: recipes, includes, models, data, plugin assemblies with their private dependencies.</summary>
    public IReadOnlyList<PlanInput> Inputs { get; }

    /// <summary>The item of that id.</summary>
    /// <exception cref="KeyNotFoundException">There is none.</exception>
    public WorkItem this[string id] => _byId[id];

    /// <summary>How many steps stand as far from the start as this item: about as many may run beside it.</summary>
    internal int WidthAt(WorkItem item) => _width[item.Id];

    private static FrozenDictionary<string, int> Widths(ImmutableArray<WorkItem> items)
    {
        var depth = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (var item in items)
        {
            depth[item.Id] = item.Needs.Select(n => depth[n] + 1).DefaultIfEmpty(0).Max();
        }

        var steps = items.Where(i => i.Kind == WorkItemKind.Step).CountBy(i => depth[i.Id]).ToDictionary();
        return items.ToFrozenDictionary(i => i.Id, i => Math.Max(1, steps.GetValueOrDefault(depth[i.Id], 1)), StringComparer.Ordinal);
    }
}
