using System.Buffers;
using System.IO.MemoryMappedFiles;

namespace Build.ML.Graph.Tensors;

/// <summary>
/// Bytes in an open file. Reading maps just this part, and unmaps it when the view is disposed, so that resident memory follows the
/// tensors in use; copying reads it in pieces and maps nothing.
/// </summary>
internal sealed class FileContent(DataFile file, long offset, long length) : TensorContent
{
    private const int Piece = 1 << 20;
    private const int MapFrom = 1 << 16; // below this, reading is cheaper than mapping

    public override long Length => length;

    public DataFile File => file;

    public long Offset => offset;

    public override ContentView Open()
    {
        if (length >= MapFrom)
        {
            file.CheckStillHas(offset + length);
            return new MappedView(file, offset, length);
        }

        var bytes = new byte[length];
        file.Read(offset, bytes);
        return new MemoryContent(bytes).Open();
    }

    public override void CopyTo(Stream destination, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(destination);
        long done = 0;
        for (var durable = destination as Onnx.DurableFile; durable is not null && done < length;)
        {
            cancellation.ThrowIfCancellationRequested();
            var copied = durable.TryAppend(file.Handle, offset + done, length - done);
            done += copied;
            durable = copied > 0 ? durable : null; // the rest, and errors, by reading and writing
        }

        var buffer = ArrayPool<byte>.Shared.Rent((int)Math.Min(Piece, length));
        try
        {
            while (done < length)
            {
                cancellation.ThrowIfCancellationRequested();
                var piece = buffer.AsSpan(0, (int)Math.Min(buffer.Length, length - done));
                file.Read(offset + done, piece);
                destination.Write(piece);
                done += piece.Length;
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private sealed unsafe class MappedView : ContentView
    {
        private readonly MemoryMappedFile _map;
        private readonly MemoryMappedViewAccessor _view;
        private readonly byte* _start;
        private readonly long _length;
        private bool _disposed;

        public MappedView(DataFile file, long offset, long length)
        {
            _length = length;
            _map = MemoryMappedFile.CreateFromFile(file.Handle, null, 0, MemoryMappedFileAccess.Read, HandleInheritability.None, leaveOpen: true);
            _view = _map.CreateViewAccessor(offset, length, MemoryMappedFileAccess.Read);
            byte* start = null;
            _view.SafeMemoryMappedViewHandle.AcquirePointer(ref start);
            _start = start + _view.PointerOffset;
        }

        public override ReadOnlySpan<byte> Slice(long offset, int length)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            ArgumentOutOfRangeException.ThrowIfNegative(offset);
            ArgumentOutOfRangeException.ThrowIfNegative(length);
            ArgumentOutOfRangeException.ThrowIfGreaterThan(length, _length - offset);
            return new ReadOnlySpan<byte>(_start + offset, length);
        }

        protected override void Dispose(bool disposing)
        {
            if (disposing && !_disposed)
            {
                _disposed = true;
                _view.SafeMemoryMappedViewHandle.ReleasePointer();
                _view.Dispose();
                _map.Dispose();
            }

            base.Dispose(disposing);
        }
    }
}
