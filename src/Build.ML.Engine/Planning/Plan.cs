using System.Collections.Immutable;

namespace Build.ML.Engine;

/// <summary>What has to be done for a set of recipes, in an order in which it can be done. Making a plan runs nothing and writes nothing.</summary>
public sealed class Plan
{
    internal Plan(ImmutableArray<WorkItem> items, ImmutableArray<PlanInput> inputs)
    {
        Items = items;
        Inputs = inputs;
    }

    /// <summary>All items in topological order; the order of steps in the recipes where that leaves a choice.</summary>
    public IReadOnlyList<WorkItem> Items { get; }

    /// <summary>Every file read for the plan: recipes, includes, models, data, plugin assemblies with their private dependencies.</summary>
    public IReadOnlyList<PlanInput> Inputs { get; }
}
