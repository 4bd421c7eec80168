using System.Collections.Immutable;
using Build.ML.Engine.Work;
using Build.ML.Graph.Diagnostics;
using Build.ML.Recipes;

namespace Build.ML.Engine.Evaluation;

/// <summary>Which figures of a model file are taken, beside those of a recipe's source model.</summary>
/// <param name="RecipeFile">Full path of the recipe: its source model, data sets and metrics are used.</param>
/// <param name="ModelFile">Full path of the model.</param>
public sealed record FileEvaluation(string RecipeFile, string ModelFile)
{
    // No step has a name with a dot.
    private const string Candidate = "model.file";

    /// <summary>Name of a data set of the recipe; null for that of the recipe's <c>evaluate:</c>.</summary>
    public string? Data { get; init; }

    /// <summary>Names of metrics; those in the recipe's <c>evaluate:</c> have its options, others their defaults. Empty for all of <c>evaluate:</c>.</summary>
    public ImmutableArray<string> Metrics { get; init; } = [];

    /// <summary>Takes the figures.</summary>
    internal ImmutableArray<Measurement> Run(ItemContext context)
    {
        var evaluation = Select(context.Recipe, context.Services);
        return new Evaluator(context with { OtherModels = ImmutableDictionary<string, string>.Empty.Add(Candidate, ModelFile) }, evaluation).Run(Candidate);
    }

    private Recipes.Evaluation Select(Recipe recipe, EngineServices services)
    {
        var errors = new List<Diagnostic>();
        if (Data is { } data && recipe.Data.All(d => d.Name != data))
        {
            errors.Add(new("BML6005", $"The recipe has no data set '{data}'.{Suggestion.For(data, recipe.Data.Select(d => d.Name))}", new(recipe.File)));
        }

        var inRecipe = recipe.Evaluate?.Metrics ?? [];
        var uses = Metrics.IsEmpty ? inRecipe : [.. Metrics.Select(name => inRecipe.FirstOrDefault(m => m.Metric == name) ?? Default(name, recipe, services, errors)).OfType<MetricUse>()];
        if (uses.IsEmpty && errors.Count == 0)
        {
            errors.Add(new("BML6006", "The recipe has no 'evaluate:' with metrics, and none was named; name some.", new(recipe.File)));
        }

        return errors.Count == 0
            ? new(Data ?? recipe.Evaluate?.Data, uses, [], recipe.Evaluate?.Location ?? new(recipe.File))
            : throw new DiagnosticException(errors);
    }

    private static MetricUse? Default(string name, Recipe recipe, EngineServices services, List<Diagnostic> errors)
    {
        var location = recipe.Evaluate?.Location ?? new SourceLocation(recipe.File);
        if (services.Catalogs.Metrics.Find(name)?.Create() is not { } metric)
        {
            errors.Add(new("BML6007", $"There is no metric '{name}'.{Suggestion.For(name, services.Catalogs.Metrics.Names)}"));
            return null;
        }

        if (metric.OptionsType.GetConstructor(Type.EmptyTypes) is not { } constructor
            || metric.OptionsType.IsDefined(typeof(System.Runtime.CompilerServices.RequiredMemberAttribute), false))
        {
            errors.Add(new("BML6008", $"Metric '{name}' has options without a default; put it with them into 'evaluate:' of the recipe.", location));
            return null;
        }

        return new(name, constructor.Invoke(null), location);
    }
}
