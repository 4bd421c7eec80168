using System.Collections.Immutable;
using System.ComponentModel.DataAnnotations;
using Build.ML.Abstractions.References;
using Build.ML.Pruning.Budgets;

namespace Build.ML.Pruning.Calibrated;

/// <summary>Options of techniques that prune layer by layer on calibration data.</summary>
public abstract record CalibratedPruningOptions : IValidatableObject
{
    /// <summary>Calibration data: inputs such as the model will meet; labels are not used. 128 samples of full length are usual for language models.</summary>
    [Required]
    public required DataReference Data { get; init; }

    /// <summary>Samples of the data to use, the first ones. Default 0: all.</summary>
    [Range(0, int.MaxValue)]
    public int Samples { get; init; }

    /// <summary>Fraction of weights set to 0, 0 to 1; the number of weights is rounded to nearest. Default 0.5. Not used with <c>pattern</c>.</summary>
    [Range(0d, 1d)]
    public double Sparsity { get; init; } = 0.5;

    /// <summary>
    /// <c>N:M</c>, such as <c>2:4</c>: of every M weights along the axis that products are summed over, N stay. M is at most 64. Default none.
    /// </summary>
    [RegularExpression("^[0-9]{1,2}:[0-9]{1,2}$", ErrorMessage = "expected N:M, such as 2:4")]
    public string? Pattern { get; init; }

    /// <summary>How many zeros each layer gets: <c>uniform</c> (default, the same fraction), <c>erk</c>, <c>sensitivity</c>, <c>ecoflap</c>. Not with <c>pattern</c>.</summary>
    public SparsityBudget? Budget { get; init; }

    /// <summary>Operators to prune, of Conv, ConvTranspose, Gemm, MatMul. Default all of them.</summary>
    public ImmutableArray<string> OpTypes { get; init; } = [];

    /// <summary>Globs over names of nodes, outputs and weights; only layers that fit one are pruned. Default all.</summary>
    public ImmutableArray<string> Include { get; init; } = [];

    /// <summary>Globs over names of nodes, outputs and weights; layers that fit one are left as they are. Default none.</summary>
    public ImmutableArray<string> Exclude { get; init; } = [];

    /// <inheritdoc/>
    public virtual IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (SparsityPattern.Mistake(Pattern) is { } mistake)
        {
            yield return new(mistake, [nameof(Pattern)]);
        }

        if (Pattern is not null && Budget is not null)
        {
            yield return new("'pattern' prunes all layers alike: remove it, or 'budget'.", [nameof(Pattern), nameof(Budget)]);
        }
    }
}
