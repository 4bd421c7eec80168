using System.Collections.Immutable;
using Build.ML.Caching.Fingerprints;
using Build.ML.Engine.Work;
using Build.ML.Recipes;

namespace Build.ML.Engine.Planning;

/// <summary>Names, folders and keys of a recipe's items.</summary>
internal sealed class RecipeItems(Recipe recipe, string workPath)
{
    private readonly string _folder = Path.Combine(workPath, recipe.Name);

    /// <summary>Makes an item.</summary>
    /// <param name="name">Its name in the recipe.</param>
    /// <param name="kind">What it does.</param>
    /// <param name="work">How.</param>
    /// <param name="needs">Names of the items it needs.</param>
    /// <param name="definition">What decides its result besides what these yield.</param>
    /// <param name="files">Names of files it is sure to write.</param>
    public WorkItem Create(
        string name, WorkItemKind kind, ItemWork work, ImmutableArray<string> needs, FingerprintBuilder definition, ImmutableArray<string> files)
    {
        var directory = Path.Combine(_folder, name);
        var ids = needs.Select(Id).ToImmutableArray();
        var entries = definition.Build();
        return new WorkItem
        {
            Id = Id(name),
            Recipe = recipe.Name,
            Name = name,
            Kind = kind,
            Technique = work is StepWork step ? step.Step.Technique : "",
            Needs = ids,
            // Which items it needs is part of the key only: their names say nothing about the result, but another wiring must be looked at again.
            Key = new FingerprintBuilder().Add("definition", entries.Hash).Add("needs", string.Join(' ', ids)).Build().Hash,
            Directory = directory,
            KeyFile = directory + ".key",
            ContentFile = directory + ".content",
            StampFile = directory + ".stamp",
            Files = [.. files.Select(f => Path.Combine(directory, f))],
            Work = work,
            Definition = entries,
            Source = recipe,
        };
    }

    private string Id(string name) => $"{recipe.Name}/{name}";
}
