namespace Build.ML.Graph;

// stub until Graph I/O lands
public sealed partial class Model
{
    /// <summary>Opens a model file; weights stay on disk until touched.</summary>
    public static Model Open(string path) => throw new NotSupportedException();

    /// <summary>Writes the model: temp file and rename.</summary>
    public void Save(string path, SaveOptions? options = null) => throw new NotSupportedException();

    /// <inheritdoc/>
    public void Dispose()
    {
    }
}

/// <summary>How a model is written.</summary>
public sealed record SaveOptions;
