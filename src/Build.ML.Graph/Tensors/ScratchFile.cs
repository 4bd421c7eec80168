namespace Build.ML.Graph.Tensors;

/// <summary>
/// Bytes of tensors that wait in a temporary file instead of memory: for a model to be saved, or for the next step over activations. The file has no name (on Windows: is deleted when it is
/// closed), so that no ended process leaves it behind and its folder may be deleted while it is in use. Where nobody closes it, it goes with the last content that refers to it. One thread appends;
/// any number read.
/// </summary>
/// <param name="directory">An existing folder, on the disk that has room; the file is made when first needed.</param>
public sealed class ScratchFile(string directory)
{
    private DataFile? _file;

    /// <summary>Bytes in the file.</summary>
    public long Length => _file?.Length ?? 0;

    /// <summary>Copies bytes and returns them as the content of a tensor, mapped while it is read.</summary>
    /// <exception cref="IOException">The disk is full or fails.</exception>
    public TensorContent Append(ReadOnlySpan<byte> bytes)
    {
        _file ??= DataFile.CreateScratch(directory);
        return new FileContent(_file, _file.Append(bytes), bytes.Length);
    }

    /// <summary>As the other overload, for a tensor.</summary>
    /// <returns>The same tensor with its bytes here.</returns>
    public Tensor Append(Tensor tensor)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        using var view = tensor.Read<byte>();
        return new Tensor(tensor.Type, tensor.Sizes.AsSpan(), Append(view.Span));
    }

    /// <summary>Closes the file: contents got from it cannot be read any more.</summary>
    public void Close()
    {
        _file?.Release();
        _file = null;
    }
}
