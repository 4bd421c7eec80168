using System.Collections.Immutable;
using Build.ML.Abstractions.Techniques;
using Build.ML.Caching.Checkpoints;
using Build.ML.Engine.Sources;
using Build.ML.Graph;
using Build.ML.Graph.Diagnostics;
using Build.ML.Recipes;

namespace Build.ML.Engine.Work;

/// <summary>What an item may use while it is done.</summary>
internal sealed record ItemContext
{
    public required WorkItem Item { get; init; }

    public required Plan Plan { get; init; }

    public required EngineServices Services { get; init; }

    public required FileStore Files { get; init; }

    /// <summary>Empty folder to fill; becomes the item's directory.</summary>
    public required string Output { get; init; }

    /// <summary>Empty folder, deleted afterwards.</summary>
    public required string Scratch { get; init; }

    /// <summary>Folder of the item's checkpoints; empty where it keeps none. Default empty.</summary>
    public string Checkpoints { get; init; } = "";

    /// <summary>Where checkpoints of all items are; null where no item is run. Default null.</summary>
    public CheckpointArea? CheckpointArea { get; init; }

    public required int Threads { get; init; }

    public required Action<Diagnostic> Report { get; init; }

    public required Action<string> Text { get; init; }

    public required IProgress<StepProgress> Progress { get; init; }

    public required CancellationToken Cancellation { get; init; }

    public Recipe Recipe => Item.Source;

    /// <summary>Another item of the recipe.</summary>
    public WorkItem Sibling(string name) => Plan[$"{Item.Recipe}/{name}"];

    /// <summary>Full paths of models that are no result of the recipe, by the names they go by in this context. Default none.</summary>
    public ImmutableDictionary<string, string> OtherModels { get; init; } = ImmutableDictionary<string, string>.Empty;

    /// <summary>File of the source model, of a step's result, or of another model.</summary>
    public string ModelFile(string name) => OtherModels.TryGetValue(name, out var file) ? file
        : name == Recipe.SourceModel && Recipe.Model.Architecture is null
        ? Files.Resolve(Recipe.Model.Reference.Path, Recipe.Model.Location, Cancellation)
        : Path.Combine(Sibling(name).Directory, StepWork.ModelFile);

    /// <summary>Opens the source model or a step's result; the caller disposes it.</summary>
    public Model OpenModel(string name) => Model.Open(ModelFile(name));
}
