using Build.ML.Graph.Catalogs;

namespace Build.ML.Training;

/// <summary>Names a learning-rate schedule as recipes do in <c>schedule: { use: … }</c>.</summary>
/// <param name="name">Lower case, snake_case.</param>
public sealed class LearningRateScheduleAttribute(string name) : CatalogAttribute(name)
{
    /// <inheritdoc/>
    public override Type EntryType => typeof(LearningRateSchedule);
}
