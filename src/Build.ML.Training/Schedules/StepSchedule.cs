using System.Collections.Immutable;
using System.ComponentModel;
using System.ComponentModel.DataAnnotations;

namespace Build.ML.Training;

/// <summary>The rate falls by a factor at each milestone.</summary>
[LearningRateSchedule("step")]
[Description("The learning rate falls by a factor at each milestone.")]
public sealed record StepSchedule : LearningRateSchedule
{
    /// <summary>Where the rate falls, counted from the end of the warm-up: numbers of steps from 1, or shares of the run below 1. Default half and three quarters of it.</summary>
    public ImmutableArray<double> Milestones { get; init; } = [0.5, 0.75];

    /// <summary>What the rate is multiplied by at each milestone, above 0. Default 0.1.</summary>
    [Range(1e-12, 1e6)]
    public double Gamma { get; init; } = 0.1;

    /// <inheritdoc/>
    protected override double Shape(long step, long steps) => Math.Pow(Gamma, Milestones.Count(m => step >= InSteps(m, steps)));
}
