using System.ComponentModel;

namespace Build.ML.Training;

/// <summary>The same rate for all steps.</summary>
[LearningRateSchedule("constant")]
[Description("The same learning rate for all steps.")]
public sealed record ConstantSchedule : LearningRateSchedule
{
    /// <inheritdoc/>
    protected override double Shape(long step, long steps) => 1;
}
