using System.ComponentModel.DataAnnotations;

namespace Build.ML.Recipes;

/// <summary>A part of a data set.</summary>
public enum DataPart
{
    /// <summary>What neither of the others has.</summary>
    Train,

    /// <summary>For choosing: early stopping, options.</summary>
    Validation,

    /// <summary>For the final figures.</summary>
    Test,
}

/// <summary>
/// <c>split:</c> of a data set: which of three parts of the samples is meant. Data sets of the same files, fractions and seed share no
/// sample and together have all; each part keeps the order
/// of the files.
/// </summary>
public sealed record DataSplit : IValidatableObject
{
    /// <summary>The part.</summary>
    public required DataPart Part { get; init; }

    /// <summary>Share of the samples for validation, 0 to 1, rounded to whole samples. Default 0.1.</summary>
    [Range(0d, 1d)]
    public double Validation { get; init; } = 0.1;

    /// <summary>Share of the samples for the test, 0 to 1, rounded to whole samples. Default 0.1.</summary>
    [Range(0d, 1d)]
    public double Test { get; init; } = 0.1;

    /// <summary>Decides which samples go where; not the recipe's seed, so that changing that keeps the parts. Default 0.</summary>
    public long Seed { get; init; }

    /// <inheritdoc/>
    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (Validation + Test > 1)
        {
            yield return new($"'validation' {Validation} and 'test' {Test} are more than all samples; expected a sum of at most 1.", [nameof(Validation)]);
        }
    }
}
