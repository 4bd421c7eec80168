using System.ComponentModel;
using System.ComponentModel.DataAnnotations;

namespace Build.ML.Training;

/// <summary>
/// Half a cosine from 1 down to <see cref="Final"/> (Loshchilov and Hutter 2017, "SGDR: Stochastic Gradient Descent with Warm Restarts", without restarts):
/// f = final + (1 − final)·(1 + cos(π·t/T))/2.
/// </summary>
[LearningRateSchedule("cosine")]
[Description("The learning rate falls by half a cosine.")]
public sealed record CosineSchedule : LearningRateSchedule
{
    /// <summary>Factor reached after the last step, 0 to 1. Default 0.</summary>
    [Range(0d, 1d)]
    public double Final { get; init; }

    /// <inheritdoc/>
    protected override double Shape(long step, long steps) => Final + (1 - Final) * (1 + Math.Cos(Math.PI * step / steps)) / 2;
}
