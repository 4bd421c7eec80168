using Build.ML.Training;
using Build.ML.WeightSharing.Storage;

namespace Build.ML.WeightSharing;

/// <summary>Keeps the zeros of codebooks in training.</summary>
/// <param name="weights">Those that are trained.</param>
internal sealed class ZeroHold(IReadOnlyList<StoredWeight> weights) : TrainingHook
{
    /// <inheritdoc/>
    public override void AfterUpdate(TrainingState state) => Hold(state);

    /// <inheritdoc/>
    public override void Finish(TrainingState state) => Hold(state);

    private void Hold(TrainingState state)
    {
        foreach (var weight in weights)
        {
            if (state.IsTrained(weight.CodebookName))
            {
                weight.HoldZeros(state.Weights(weight.CodebookName).Span<float>());
            }
        }
    }
}
