using Build.ML.Abstractions.Techniques;
using Build.ML.Graph.Tensors;

namespace Build.ML.Calibration.Hessians;

/// <summary>Solved layers as files, one a layer: none is in memory longer than it is worked on, and those in the checkpoint folder outlive a killed step.</summary>
/// <typeparam name="T">What is kept of a layer.</typeparam>
public sealed class LayerStore<T> : IDisposable
{
    private readonly string _folder;
    private readonly bool _isTemporary;
    private readonly Action<T, Stream> _write;
    private readonly Func<Stream, T> _read;

    /// <summary>In the checkpoint folder, or where there is none in a scratch folder, which is deleted with this.</summary>
    /// <param name="context">Its folders.</param>
    /// <param name="write">Writes a solution.</param>
    /// <param name="read">Reads what was written.</param>
    public LayerStore(StepContext context, Action<T, Stream> write, Func<Stream, T> read)
    {
        ArgumentNullException.ThrowIfNull(context);
        _isTemporary = context.CheckpointDirectory.Length == 0;
        _folder = _isTemporary
            ? Directory.CreateDirectory(Path.Combine(context.ScratchDirectory, $"layers-{Path.GetRandomFileName()}")).FullName
            : context.CheckpointDirectory;
        (_write, _read) = (write, read);
    }

    /// <summary>Whether a layer was solved, perhaps by a step that was killed afterwards.</summary>
    public bool Has(int layer)
    {
        var file = new FileInfo(PathOf(layer));
        if (!file.Exists || file.Length < sizeof(long))
        {
            return false;
        }

        // The length, written first: after a power cut a file may be shorter than it was written.
        using var stream = file.OpenRead();
        using var reader = new BinaryReader(stream);
        return reader.ReadInt64() == file.Length;
    }

    /// <summary>Keeps a solution: all of it or nothing.</summary>
    public void Add(int layer, T solution)
    {
        var path = PathOf(layer);
        var temporary = path + ".tmp";
        using (var stream = new FileStream(temporary, FileMode.Create, FileAccess.Write, FileShare.None, 1 << 20))
        {
            stream.Write(stackalloc byte[sizeof(long)]);
            _write(solution, stream);
            var length = stream.Position;
            stream.Position = 0;
            stream.Write(BitConverter.GetBytes(length));
            stream.Flush(flushToDisk: true);
        }

        File.Move(temporary, path, overwrite: true);
    }

    /// <summary>Reads a solution.</summary>
    public T Get(int layer)
    {
        using var stream = new FileStream(PathOf(layer), FileMode.Open, FileAccess.Read, FileShare.Read, 1 << 20);
        stream.Position = sizeof(long);
        return _read(stream);
    }

    /// <summary>The layer's weight with the numbers that its solution stands for, read when asked for.</summary>
    /// <param name="layer">The layer.</param>
    /// <param name="restore">The weight that a solution stands for.</param>
    public Tensor Restored(NumberedLayer layer, Func<T, Tensor> restore) =>
        new(layer.Layer.Tensor.Type, layer.Layer.Tensor.Sizes.AsSpan(), new RestoredSolution(this, layer, restore));

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_isTemporary)
        {
            Directory.Delete(_folder, recursive: true);
        }
    }

    private string PathOf(int layer) => Path.Combine(_folder, $"layer-{layer:D5}.solution");

    private sealed class RestoredSolution(LayerStore<T> store, NumberedLayer layer, Func<T, Tensor> restore) : TensorContent
    {
        public override long Length => layer.Layer.Tensor.ByteLength;

        public override ContentView Open() => restore(store.Get(layer.Index)).Content.Open();
    }
}
