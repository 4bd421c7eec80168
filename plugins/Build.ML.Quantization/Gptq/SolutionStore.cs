using Build.ML.Abstractions.Techniques;
using Build.ML.Graph.Tensors;

namespace Build.ML.Quantization.Gptq;

/// <summary>Solved layers as files, one a layer: none is in memory longer than it is worked on, and those in the checkpoint folder outlive a killed step.</summary>
internal sealed class SolutionStore : IDisposable
{
    private readonly string _folder;
    private readonly bool _isTemporary;

    private SolutionStore(string folder, bool isTemporary) => (_folder, _isTemporary) = (folder, isTemporary);

    /// <summary>In the checkpoint folder, or where there is none in a scratch folder, which is deleted with this.</summary>
    public static SolutionStore Of(StepContext context) => context.CheckpointDirectory.Length > 0
        ? new(context.CheckpointDirectory, false)
        : new(Directory.CreateDirectory(Path.Combine(context.ScratchDirectory, $"gptq-{Path.GetRandomFileName()}")).FullName, true);

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
    public void Add(int layer, LayerSolution solution)
    {
        var path = PathOf(layer);
        var temporary = path + ".tmp";
        using (var stream = new FileStream(temporary, FileMode.Create, FileAccess.Write, FileShare.None, 1 << 20))
        {
            stream.Write(stackalloc byte[sizeof(long)]);
            solution.Write(stream);
            var length = stream.Position;
            stream.Position = 0;
            stream.Write(BitConverter.GetBytes(length));
            stream.Flush(flushToDisk: true);
        }

        File.Move(temporary, path, overwrite: true);
    }

    /// <summary>Reads a solution.</summary>
    public LayerSolution Get(int layer)
    {
        using var stream = new FileStream(PathOf(layer), FileMode.Open, FileAccess.Read, FileShare.Read, 1 << 20);
        stream.Position = sizeof(long);
        return LayerSolution.Read(stream);
    }

    /// <summary>The layer's weight with the numbers that its solution stands for, read when asked for.</summary>
    public Tensor Restored(NumberedLayer layer) =>
        new(layer.Layer.Tensor.Type, layer.Layer.Tensor.Sizes.AsSpan(), new RestoredSolution(this, layer));

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_isTemporary)
        {
            Directory.Delete(_folder, recursive: true);
        }
    }

    private string PathOf(int layer) => Path.Combine(_folder, $"layer-{layer:D5}.gptq");

    private sealed class RestoredSolution(SolutionStore store, NumberedLayer layer) : TensorContent
    {
        public override long Length => layer.Layer.Tensor.ByteLength;

        public override ContentView Open() => layer.Layer.Restore(store.Get(layer.Index).Matrix).Content.Open();
    }
}
