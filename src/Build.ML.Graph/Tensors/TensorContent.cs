namespace Build.ML.Graph.Tensors;

/// <summary>
/// Where the bytes of a tensor are: in memory, in a mapped file, or computed when asked for. The bytes are those of
/// <c>TensorProto.raw_data</c>: little-endian, row-major, sub-byte elements packed low bits first.
/// </summary>
public abstract class TensorContent
{
    /// <summary>Number of bytes.</summary>
    public abstract long Length { get; }

    /// <summary>Opens the bytes for reading; the caller disposes the view, which gives the memory back.</summary>
    /// <exception cref="Diagnostics.DiagnosticException">The bytes cannot be read (file changed or gone).</exception>
    public abstract ContentView Open();

    /// <summary>
    /// Writes all bytes to a stream in pieces, without holding them all in memory where the content allows it.
    /// </summary>
    /// <param name="destination">Written from its current position.</param>
    /// <param name="cancellation">Stops between pieces.</param>
    public virtual void CopyTo(Stream destination, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(destination);
        using var view = Open();
        for (long offset = 0; offset < Length;)
        {
            cancellation.ThrowIfCancellationRequested();
            var piece = view.Slice(offset, (int)Math.Min(1 << 20, Length - offset));
            destination.Write(piece);
            offset += piece.Length;
        }
    }
}
