using Build.ML.Abstractions.Inference;

namespace Build.ML.Training;

/// <summary>A running statistic: after each batch current ← momentum·current + (1 − momentum)·batch.</summary>
/// <param name="name">Name of the initializer.</param>
/// <param name="momentum">0 to 1.</param>
/// <param name="current">Present value.</param>
/// <param name="average">Its moving average over steps; null where none is kept.</param>
internal sealed class TrackedStatistic(string name, float momentum, TensorBuffer current, TensorBuffer? average) : IDisposable
{
    /// <summary>Name of the initializer.</summary>
    public string Name => name;

    /// <summary>Statistic of the last batch; written by the training session.</summary>
    public TensorBuffer Batch { get; } = new(current.Type, current.Sizes.AsSpan());

    /// <summary>What the result is made of and validated.</summary>
    public TensorBuffer Result => average ?? current;

    /// <summary>All that survives from step to step.</summary>
    public IEnumerable<TensorBuffer> Lasting => average is null ? [current] : [current, average];

    /// <summary>Takes the last batch in.</summary>
    public void Follow() => WeightUpdate.Average(current.Vectors<float>(), Batch.Vectors<float>(), momentum);

    /// <summary>Moves the average towards the present value.</summary>
    public void Average(double decay)
    {
        if (average is not null)
        {
            WeightUpdate.Average(average.Vectors<float>(), current.Vectors<float>(), decay);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        current.Dispose();
        average?.Dispose();
        Batch.Dispose();
    }
}
