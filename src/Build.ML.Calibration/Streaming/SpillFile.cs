using System.IO.MemoryMappedFiles;
using Build.ML.Graph.Tensors;
using Microsoft.Win32.SafeHandles;

namespace Build.ML.Calibration.Streaming;

/// <summary>A temporary file of tensors written one after another; each is mapped while it is read. Deleted on disposal.</summary>
internal sealed class SpillFile : IDisposable
{
    private readonly string _path;
    private readonly SafeFileHandle _handle;
    private long _length;

    public SpillFile(string folder)
    {
        _path = Path.Combine(folder, "activations-" + Path.GetRandomFileName());
        _handle = File.OpenHandle(_path, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.Read | FileShare.Delete);
    }

    /// <summary>Appends a tensor's bytes.</summary>
    /// <returns>The same tensor with its bytes in the file; readable until disposal.</returns>
    public Tensor Append(Tensor tensor)
    {
        using var view = tensor.Read<byte>();
        var offset = _length;
        RandomAccess.Write(_handle, view.Span, offset);
        _length += view.Span.Length;
        return new Tensor(tensor.Type, tensor.Sizes.AsSpan(), new Content(_handle, offset, view.Span.Length));
    }

    public void Dispose()
    {
        _handle.Dispose();
        File.Delete(_path);
    }

    private sealed class Content(SafeFileHandle handle, long offset, long length) : TensorContent
    {
        public override long Length => length;

        public override ContentView Open() => new View(handle, offset, length);
    }

    private sealed unsafe class View : ContentView
    {
        private readonly MemoryMappedFile _map;
        private readonly MemoryMappedViewAccessor _view;
        private readonly byte* _start;
        private readonly long _length;
        private bool _disposed;

        public View(SafeFileHandle handle, long offset, long length)
        {
            _length = length;
            _map = MemoryMappedFile.CreateFromFile(handle, null, 0, MemoryMappedFileAccess.Read, HandleInheritability.None, leaveOpen: true);
            _view = _map.CreateViewAccessor(offset, length, MemoryMappedFileAccess.Read);
            byte* start = null;
            _view.SafeMemoryMappedViewHandle.AcquirePointer(ref start);
            _start = start + _view.PointerOffset;
        }

        public override ReadOnlySpan<byte> Slice(long offset, int length)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
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
