using System.ComponentModel;
using System.ComponentModel.DataAnnotations;

namespace Build.ML.Training;

/// <summary>A straight line from 1 down to <see cref="Final"/>: f = 1 − (1 − final)·t/T.</summary>
[LearningRateSchedule("linear")]
[Description("The learning rate falls in equal parts.")]
public sealed record LinearSchedule : LearningRateSchedule
{
    /// <summary>Factor reached after the last step, 0 to 1. Default 0.</summary>
    [Range(0d, 1d)]
    public double Final { get; init; }

    /// <inheritdoc/>
    protected override double Shape(long step, long steps) => 1 - (1 - Final) * step / steps;
}
