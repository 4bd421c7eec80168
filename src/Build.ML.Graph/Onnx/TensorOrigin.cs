namespace Build.ML.Graph.Onnx;

/// <summary>How a file held a tensor: what is needed to write an unchanged tensor back byte for byte.</summary>
/// <param name="Message">Presence, packing, unknown fields.</param>
internal sealed record TensorOrigin(MessageOrigin Message)
{
    /// <summary>The field that holds the elements as they are in memory: raw_data, or a packed list of fixed width; 0 for none.</summary>
    public int ContentField { get; init; }

    /// <summary>Fields with elements in other forms (varints, single elements, strings), tags included, to be copied as they are.</summary>
    public IReadOnlyList<DataRun> Runs { get; init; } = [];

    /// <summary>The <c>segment</c> message, if any.</summary>
    public ReadOnlyMemory<byte> Segment { get; init; }

    /// <summary>Whether the elements are in another file.</summary>
    public bool IsExternal { get; init; }

    /// <summary>Metadata, in file order.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Metadata { get; init; } = [];
}

/// <summary>Consecutive occurrences of one field, tags included.</summary>
/// <param name="Field">Field number.</param>
/// <param name="Source">Where the bytes are.</param>
/// <param name="Offset">First byte, that of the first tag.</param>
/// <param name="Length">Number of bytes.</param>
internal readonly record struct DataRun(int Field, ByteSource Source, long Offset, long Length);
