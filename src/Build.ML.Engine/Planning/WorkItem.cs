using System.Collections.Immutable;
using Build.ML.Caching.Fingerprints;
using Build.ML.Engine.Work;

namespace Build.ML.Engine;

/// <summary>One unit of work of a plan; an MSBuild target, a line of the command line's progress.</summary>
public sealed record WorkItem
{
    /// <summary><c>recipe/name</c>, unique in a plan.</summary>
    public required string Id { get; init; }

    /// <summary>Name of the recipe.</summary>
    public required string Recipe { get; init; }

    /// <summary>
    /// Step id; <c>model</c> for the source; <c>step.evaluate</c> for an evaluation; <c>report</c>; <c>out</c>.
    /// </summary>
    public required string Name { get; init; }

    /// <summary>What the item does.</summary>
    public required WorkItemKind Kind { get; init; }

    /// <summary>Technique of a step; empty for other kinds.</summary>
    public string Technique { get; init; } = "";

    /// <summary>Ids of the items whose results this one reads; all stand before it in the plan.</summary>
    public required ImmutableArray<string> Needs { get; init; }

    /// <summary>
    /// SHA-256 in hexadecimal over the item's own definition: options, contents of the files it names, technique, engine and runtime versions,
    /// seed. What the items it needs yield is not part of it: that enters when the item runs.
    /// </summary>
    public required string Key { get; init; }

    /// <summary>The item's directory, replaced as a whole when the item has run.</summary>
    public required string Directory { get; init; }

    /// <summary>Holds <see cref="Key"/>; rewritten only when it changes. Input of the MSBuild target, with the content files of <see cref="Needs"/>.</summary>
    public required string KeyFile { get; init; }

    /// <summary>Holds the hash of what the item yielded; rewritten only when it changes (early cutoff).</summary>
    public required string ContentFile { get; init; }

    /// <summary>Written last, after everything else of the item; output of the MSBuild target.</summary>
    public required string StampFile { get; init; }

    /// <summary>Full paths of the files that the item is sure to write into <see cref="Directory"/>; a model may add external data beside it.</summary>
    public required ImmutableArray<string> Files { get; init; }

    /// <summary>How the item is done.</summary>
    internal ItemWork Work { get; init; } = null!;

    /// <summary>What decides its result besides what the items it needs yield.</summary>
    internal Fingerprint Definition { get; init; } = null!;

    /// <summary>The recipe it is of.</summary>
    internal Recipes.Recipe Source { get; init; } = null!;
}
