using System.ComponentModel.DataAnnotations;

namespace Build.ML.Training;

/// <summary>Two values that a loss makes alike.</summary>
public sealed record ValuePair
{
    /// <summary>Name of a value of the model in training: an output or an inner value.</summary>
    [Required]
    public string Student { get; init; } = "";

    /// <summary>Name of a value of the teacher. Default: the same name.</summary>
    public string? Teacher { get; init; }
}
