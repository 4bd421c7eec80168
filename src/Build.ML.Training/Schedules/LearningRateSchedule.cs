using System.ComponentModel.DataAnnotations;

namespace Build.ML.Training;

/// <summary>
/// How the learning rate changes over a run: a factor of the optimizer's rate for each step. A sealed record with <see cref="LearningRateScheduleAttribute"/> adds one.
/// </summary>
public abstract record LearningRateSchedule
{
    /// <summary>
    /// Steps in which the factor rises from 0 in equal parts before the schedule itself begins (Goyal et al. 2017, "Accurate, Large Minibatch SGD"): a number of steps from 1, or a
    /// share of all steps below 1. Default 0.
    /// </summary>
    [Range(0d, 1e12)]
    public double Warmup { get; init; }

    /// <summary>The factor of a step.</summary>
    /// <param name="step">Number of the step, from 0.</param>
    /// <param name="steps">Steps of the whole run, more than <paramref name="step"/>.</param>
    public double Factor(long step, long steps)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(step);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(step, steps);
        var warmup = InSteps(Warmup, steps);
        return step < warmup ? (step + 1d) / warmup : Shape(step - warmup, steps - warmup);
    }

    /// <summary>The factor after the warm-up.</summary>
    /// <param name="step">Number of the step since the warm-up, from 0.</param>
    /// <param name="steps">Steps after the warm-up, more than <paramref name="step"/>.</param>
    protected abstract double Shape(long step, long steps);

    /// <summary>A number of steps from 1, or a share of <paramref name="steps"/> below 1, in steps.</summary>
    protected static long InSteps(double amount, long steps) => (long)Math.Round(amount < 1 ? amount * steps : amount);
}
