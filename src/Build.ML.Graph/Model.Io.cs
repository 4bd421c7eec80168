using Build.ML.Graph.Diagnostics;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Onnx;
using Build.ML.Graph.Tensors;

namespace Build.ML.Graph;

public sealed partial class Model
{
    private readonly List<DataFile> _files = [];
    private bool _disposed;

    /// <summary>Full paths of the files the model was read from: the model file, then those of its external data. Empty for a model made in memory.</summary>
    public IReadOnlyList<string> Files => [.. _files.Select(f => System.IO.Path.GetFullPath(f.Path))];

    /// <summary>
    /// Opens a model file. Only its headers are read; weights stay on disk until touched, also when the file is replaced or deleted meanwhile.
    /// The file must not be changed in place.
    /// </summary>
    /// <param name="path">An ONNX file, any IR version.</param>
    /// <exception cref="DiagnosticException">BML2001 to BML2029: everything wrong with the file that was found.</exception>
    public static Model Open(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        var file = DataFile.Open(path);
        return Read(new FileSource(file), path, System.IO.Path.GetDirectoryName(System.IO.Path.GetFullPath(path)), file);
    }

    /// <summary>Reads a model from memory, which is not copied and must not change afterwards.</summary>
    /// <param name="bytes">An ONNX file's bytes.</param>
    /// <param name="folder">Where external data is looked for; null allows none.</param>
    /// <exception cref="DiagnosticException">BML2002 to BML2029: everything wrong that was found.</exception>
    public static Model Load(ReadOnlyMemory<byte> bytes, string? folder = null) => Read(new MemorySource(bytes), null, folder, null);

    /// <summary>
    /// Writes the model, one tensor at a time, and its external data if any into <c>&lt;path&gt;.data</c>. Equal models give equal bytes. The files are
    /// written beside their targets and renamed: also the file the model was opened from may be the target, and a failure leaves the old ones. (Two files
    /// cannot be renamed as one: a process killed just between the renames leaves a model without its external data.)
    /// </summary>
    /// <param name="path">The file, created or replaced; its folder must exist.</param>
    /// <param name="options">Null for the defaults.</param>
    /// <exception cref="DiagnosticException">BML2018 when the file cannot be written, BML2019 when it would exceed 2 GB.</exception>
    public void Save(string path, SaveOptions? options = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        options ??= new SaveOptions();
        var dataPath = path + ".data";
        var writer = new WireWriter(cancellation: options.Cancellation);
        var layout = Measure(writer, options, System.IO.Path.GetFileName(dataPath), path);
        ModelFiles.Replace(
            path,
            stream =>
            {
                Write(writer, layout, stream);
                options.Cancellation.ThrowIfCancellationRequested();
            },
            layout.IsEmpty ? null : dataPath,
            stream => layout.Write(stream, options.Cancellation));
    }

    /// <summary>The model's bytes as a file would have them, all weights included.</summary>
    /// <exception cref="DiagnosticException">BML2019 when it would exceed 2 GB.</exception>
    public byte[] ToBytes()
    {
        var writer = new WireWriter();
        var layout = Measure(writer, new SaveOptions { ExternalData = ExternalData.Never }, "", Path);
        var bytes = GC.AllocateUninitializedArray<byte>((int)writer.Position);
        using var stream = new MemoryStream(bytes);
        Write(writer, layout, stream);
        return bytes;
    }

    /// <summary>A copy whose graph can be changed without changing this one; tensors, being immutable, are shared. Dispose both.</summary>
    public Model Clone()
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        var copy = new Model(null, 0) { Path = Path };
        new ModelCopy(this, copy).Run();
        ShareFiles(copy);
        return copy;
    }

    /// <summary>
    /// A model of some nodes of the main graph, with functions and operator sets as here; the initializers that the nodes and their subgraphs read come
    /// along, their tensors shared. Dispose both.
    /// </summary>
    /// <param name="nodes">Nodes of the main graph in order of execution.</param>
    /// <param name="inputs">
    /// The inputs of the new model: all that the nodes read besides initializers and each other's outputs, with types. An initializer among them is not taken
    /// along.
    /// </param>
    /// <param name="outputs">The outputs of the new model: outputs of the nodes, or initializers.</param>
    /// <exception cref="KeyNotFoundException">The nodes read a value that is none of these.</exception>
    public Model Extract(IReadOnlyList<Node> nodes, IReadOnlyList<KeyValuePair<Value, OnnxType?>> inputs, IReadOnlyList<Value> outputs)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        ArgumentNullException.ThrowIfNull(nodes);
        ArgumentNullException.ThrowIfNull(inputs);
        ArgumentNullException.ThrowIfNull(outputs);
        var part = new Model(null, 0) { Path = Path };
        new ModelCopy(this, part).RunPart(nodes, inputs, outputs);
        ShareFiles(part);
        return part;
    }

    /// <summary>Lets go of the files; weights that are still in them can no longer be read.</summary>
    public void Dispose()
    {
        if (_disposed)
        {
            return;
        }

        _disposed = true;
        foreach (var file in _files)
        {
            file.Release();
        }
    }

    private static Model Read(ByteSource source, string? path, string? folder, DataFile? file)
    {
        var model = new Model(new OnnxGraph(), 0) { IrVersion = 0, Path = path };
        if (file is not null)
        {
            model._files.Add(file);
        }

        var external = new ExternalFiles(folder);
        try
        {
            new OnnxReader(source, path ?? "model", external).Read(model);
            model._files.AddRange(external.Files);
            return model;
        }
        catch
        {
            foreach (var opened in external.Files)
            {
                opened.Release();
            }

            file?.Release();
            throw;
        }
    }

    private void ShareFiles(Model with)
    {
        foreach (var file in _files)
        {
            file.Share();
            with._files.Add(file);
        }
    }

    private ExternalLayout Measure(WireWriter writer, SaveOptions options, string location, string? path)
    {
        var limit = Math.Min(options.MaxFileLength, int.MaxValue);
        var layout = options.ExternalData switch
        {
            ExternalData.Never => ExternalLayout.None,
            ExternalData.Always => ExternalLayout.Of(this, location, t => t.ByteLength >= options.ExternalThreshold),
            _ => ExternalLayout.Of(this, location, t => t.Origin is { IsExternal: true }),
        };
        new OnnxWriter(writer, layout).Write(this);
        if (writer.Position > limit && options.ExternalData == ExternalData.Auto)
        {
            layout = ExternalLayout.Of(this, location, t => t.ByteLength >= options.ExternalThreshold || t.Origin is { IsExternal: true });
            writer.Restart();
            new OnnxWriter(writer, layout).Write(this);
        }

        return writer.Position <= int.MaxValue
            ? layout
            : throw new DiagnosticException(
                "BML2019",
                $"The model takes {writer.Position} bytes without external data, a protobuf message may have {int.MaxValue}; save it with external data and a lower threshold.",
                path is null ? null : new(path));
    }

    private void Write(WireWriter writer, ExternalLayout layout, Stream stream)
    {
        var length = writer.Position;
        writer.WriteTo(stream);
        new OnnxWriter(writer, layout).Write(this);
        writer.Flush();
        if (writer.Position != length)
        {
            throw new InvalidOperationException($"The model was changed while it was saved: {length} bytes measured, {writer.Position} written.");
        }
    }
}
