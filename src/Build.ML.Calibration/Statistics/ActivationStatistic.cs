using Build.ML.Graph.Tensors;

namespace Build.ML.Calibration.Statistics;

/// <summary>
/// Something that is collected of an activation over a data set, batch by batch, and kept in the cache. One file adds one: derive from this class.
/// </summary>
/// <typeparam name="T">What is collected.</typeparam>
public abstract class ActivationStatistic<T>
    where T : class
{
    /// <summary>What it is, with all parameters that change it: part of the key in the cache.</summary>
    public abstract string Name { get; }

    /// <summary>What is collected before the first batch.</summary>
    public abstract T Create();

    /// <summary>Takes a batch. Called in the order of batches, so that the result depends on nothing but the data.</summary>
    /// <param name="seen">What was collected so far.</param>
    /// <param name="activation">The activation on one batch; may be read only during the call.</param>
    /// <returns>False when an element is NaN or infinite.</returns>
    public abstract bool Add(T seen, Tensor activation);

    /// <summary>Writes all that was collected.</summary>
    public abstract void Write(T seen, Stream to);

    /// <summary>Reads what <see cref="Write"/> wrote.</summary>
    public abstract T Read(Stream from);
}
