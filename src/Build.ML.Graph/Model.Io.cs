namespace Build.ML.Graph;

// stub until Graph I/O lands
public sealed partial class Model
{
    /// <summary>Opens a model file; weights stay on disk until touched.</summary>
    public static Model Open(string path) => throw new NotSupportedException();

    /// <summary>Writes the model: temp file and rename.</summary>
    public void Save(string path, SaveOptions? options = null) => throw new NotSupportedException();

    /// <summary>Reads a model held in memory.</summary>
    public static Model Load(ReadOnlyMemory<byte> bytes) => throw new NotSupportedException();

    /// <summary>The model as the bytes of one file.</summary>
    public byte[] ToBytes() => throw new NotSupportedException();

    /// <summary>A copy of the graph that shares the tensors.</summary>
    public Model Clone() => throw new NotSupportedException();

    /// <inheritdoc/>
    public void Dispose()
    {
    }
}

/// <summary>How a model is written.</summary>
public sealed record SaveOptions;
