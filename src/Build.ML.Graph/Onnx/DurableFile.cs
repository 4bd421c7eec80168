using Microsoft.Win32.SafeHandles;

namespace Build.ML.Graph.Onnx;

/// <summary>
/// A new file whose bytes reach the disk while it is written: every so often what is there is flushed beside the writing, so that the flush at
/// the end, which makes a rename safe, has little left to do.
/// </summary>
internal sealed class DurableFile : Stream
{
    private const long FlushEvery = 64 << 20;

    private readonly SafeFileHandle _handle;
    private Task _flush = Task.CompletedTask;
    private long _position;
    private long _flushedAt;

    /// <summary>Creates the file.</summary>
    /// <param name="path">It must not exist.</param>
    public DurableFile(string path) => _handle = File.OpenHandle(path, FileMode.CreateNew, FileAccess.Write, FileShare.None);

    public override bool CanRead => false;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => _position;

    public override long Position
    {
        get => _position;
        set => throw new NotSupportedException();
    }

    /// <summary>All that was written is on the disk when this returns.</summary>
    public void Complete()
    {
        _flush.GetAwaiter().GetResult();
        RandomAccess.FlushToDisk(_handle);
    }

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        RandomAccess.Write(_handle, buffer, _position);
        Advance(buffer.Length);
    }

    /// <summary>Appends a part of another file without bringing it into this process; returns the bytes appended, 0 where that cannot be done.</summary>
    public long TryAppend(SafeFileHandle source, long offset, long length)
    {
        var copied = Tensors.KernelCopy.TryCopy(source, offset, _handle, _position, length);
        Advance(copied);
        return copied;
    }

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    public override void Flush()
    {
        // Nothing is buffered here.
    }

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            // A flush that fails has failed the writing already, or it is given up anyway.
            _flush.ContinueWith(static _ => { }, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default).Wait();
            _handle.Dispose();
        }

        base.Dispose(disposing);
    }

    private void Advance(long written)
    {
        _position += written;
        if (_position - _flushedAt >= FlushEvery && _flush.IsCompleted)
        {
            _flush.GetAwaiter().GetResult();
            _flushedAt = _position;
            _flush = Task.Run(() => RandomAccess.FlushToDisk(_handle));
        }
    }
}
