using System.Collections.Immutable;
using System.ComponentModel.DataAnnotations;
using Build.ML.Abstractions.Selection;

namespace Build.ML.Training;

/// <summary>Parameters that learn at another pace than the rest.</summary>
public sealed record ParameterGroup
{
    /// <summary>Globs over names of weights (initializers); a parameter belongs to the first group that one of its globs fits.</summary>
    [Required]
    public ImmutableArray<string> Parameters { get; init; } = [];

    /// <summary>What the learning rate is multiplied by, 0 or more. Default 1.</summary>
    [Range(0d, 1e6)]
    public double LearningRate { get; init; } = 1;

    /// <summary>Weight decay in place of the optimizer's, for all parameters of the group whatever their rank; 0 or more. Default: the optimizer's, and none for vectors.</summary>
    [Range(0d, 1e6)]
    public double? WeightDecay { get; init; }

    internal bool Contains(string name) => Parameters.Any(p => new NamePattern(p).Matches(name));
}
