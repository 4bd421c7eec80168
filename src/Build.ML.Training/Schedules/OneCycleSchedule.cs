using System.ComponentModel;
using System.ComponentModel.DataAnnotations;

namespace Build.ML.Training;

/// <summary>
/// One cycle (Smith and Topin 2019, "Super-Convergence"): half a cosine up from <see cref="Start"/> to 1 over the first share of the run, half a cosine down to <see cref="Final"/>
/// over the rest. The optimizer's rate is the highest one.
/// </summary>
[LearningRateSchedule("one_cycle")]
[Description("The learning rate rises, then falls, by half a cosine each.")]
public sealed record OneCycleSchedule : LearningRateSchedule
{
    /// <summary>Share of the run in which the rate rises, 0 to 1. Default 0.3.</summary>
    [Range(0d, 1d)]
    public double Rise { get; init; } = 0.3;

    /// <summary>Factor of the first step, 0 to 1. Default 0.04.</summary>
    [Range(0d, 1d)]
    public double Start { get; init; } = 0.04;

    /// <summary>Factor reached after the last step, 0 to 1. Default 0.000004.</summary>
    [Range(0d, 1d)]
    public double Final { get; init; } = 4e-6;

    /// <inheritdoc/>
    protected override double Shape(long step, long steps)
    {
        var up = Rise * steps;
        return step < up ? Between(Start, 1, step / up) : Between(1, Final, steps > up ? (step - up) / (steps - up) : 1);
    }

    private static double Between(double from, double to, double share) => to + (from - to) * (1 + Math.Cos(Math.PI * share)) / 2;
}
