using Build.ML.Training;

namespace Build.ML.TestPlugins;

/// <summary>A component whose kind is in Build.ML.Training: the plugin refers to no other contract assembly.</summary>
[LearningRateSchedule("test_half")]
public sealed record HalfSchedule : LearningRateSchedule
{
    /// <inheritdoc/>
    protected override double Shape(long step, long steps) => 0.5;
}
