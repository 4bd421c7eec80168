using Build.ML.Graph;

namespace Build.ML.OnnxRuntime;

/// <summary>A large model as files in a folder of its own, deleted when the session that maps them is disposed.</summary>
internal sealed class ModelFiles : IDisposable
{
    /// <summary>Bytes of weights up to which a model is handed over in memory, which is faster; above, peak memory matters more.</summary>
    private const long InMemoryLimit = 256L << 20;

    private readonly string _folder;

    private ModelFiles(string folder) => _folder = folder;

    /// <summary>Path of the written model.</summary>
    public string ModelPath => Path.Combine(_folder, "model.onnx");

    /// <summary>Whether the model's weights are small enough to be handed over in memory.</summary>
    public static bool FitsInMemory(Model model)
    {
        long bytes = 0;
        foreach (var value in model.Graph.Initializers)
        {
            bytes += value.Initializer!.ByteLength;
        }

        return bytes <= InMemoryLimit;
    }

    /// <summary>Writes a model into a new folder below <paramref name="directory"/>.</summary>
    public static ModelFiles Write(Model model, string directory)
    {
        var files = new ModelFiles(Directory.CreateDirectory(Path.Combine(directory, "buildml-" + Path.GetRandomFileName())).FullName);
        try
        {
            model.Save(files.ModelPath, new SaveOptions { ExternalData = ExternalData.Always }); // which the runtime maps
            return files;
        }
        catch
        {
            files.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public void Dispose() => Directory.Delete(_folder, recursive: true);
}
