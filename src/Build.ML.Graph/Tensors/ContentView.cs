namespace Build.ML.Graph.Tensors;

/// <summary>Bytes of a <see cref="TensorContent"/> held readable until disposed.</summary>
public abstract class ContentView : IDisposable
{
    /// <summary>A part of the bytes.</summary>
    /// <param name="offset">First byte, from 0.</param>
    /// <param name="length">Number of bytes.</param>
    /// <exception cref="ArgumentOutOfRangeException">The part does not lie within the content.</exception>
    public abstract ReadOnlySpan<byte> Slice(long offset, int length);

    /// <inheritdoc/>
    public void Dispose()
    {
        Dispose(true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Gives the memory back.</summary>
    /// <param name="disposing">True when called from <see cref="Dispose()"/>.</param>
    protected virtual void Dispose(bool disposing)
    {
    }
}
