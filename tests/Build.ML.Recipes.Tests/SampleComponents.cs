using System.Collections.Immutable;
using System.ComponentModel.DataAnnotations;
using Build.ML.Abstractions.Architectures;
using Build.ML.Abstractions.References;
using Build.ML.Abstractions.Techniques;
using Build.ML.Graph;
using Build.ML.Graph.Catalogs;

namespace Build.ML.Recipes.Tests;

/// <summary>A kind of component: what a sample technique aims at.</summary>
public abstract record TrainingGoal
{
    /// <summary>Factor of the goal. Default 1.</summary>
    [Range(0d, 100d)]
    public double Weight { get; init; } = 1;
}

public sealed class TrainingGoalAttribute(string name) : CatalogAttribute(name)
{
    public override Type EntryType => typeof(TrainingGoal);
}

/// <summary>Match the labels.</summary>
[TrainingGoal("labels")]
public sealed record LabelGoal : TrainingGoal
{
    /// <summary>Share given to the other classes.</summary>
    [Range(0d, 1d)]
    public double Smoothing { get; init; }
}

[TrainingGoal("imitate")]
public sealed record ImitationGoal : TrainingGoal, IValidatableObject
{
    public required ModelReference Teacher { get; init; }

    public DataReference? Data { get; init; }

    public FileReference? Vocabulary { get; init; }

    public TrainingGoal? Then { get; init; }

    public double Temperature { get; init; } = 4;

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (Temperature == 1 && Weight == 1)
            yield return new("a temperature of 1 needs another weight.", [nameof(Temperature)]);
    }
}

/// <summary>Has an option of the name that chooses components.</summary>
[TrainingGoal("clash")]
public sealed record ClashingGoal : TrainingGoal
{
    public string Use { get; init; } = "";
}

/// <summary>A small network.</summary>
[Architecture("sample-net")]
public sealed record SampleNetwork : Architecture
{
    /// <summary>Factor of widths. Default 1.</summary>
    [Range(0.1, 8d)]
    public double Width { get; init; } = 1;

    public override Model Build(long seed) => new();
}

/// <summary>A kind without members.</summary>
public abstract record EmptyKind;

public sealed class EmptyKindAttribute() : CatalogAttribute(null)
{
    public override Type EntryType => typeof(EmptyKind);
}

[Technique("sample.train")]
public sealed class SampleTraining : Technique<SampleTraining.Options>
{
    public sealed record Options
    {
        /// <summary>What is aimed at.</summary>
        public TrainingGoal Goal { get; init; } = new LabelGoal { Smoothing = 0.1 };

        public ImmutableArray<TrainingGoal> Goals { get; init; } = [];

        public TrainingGoal? Extra { get; init; }

        public EmptyKind? Nothing { get; init; }

        public ImmutableArray<ModelReference> Teachers { get; init; } = [];
    }

    public override StepResult Apply(Model model, Options options, StepContext context) => new(model);
}
