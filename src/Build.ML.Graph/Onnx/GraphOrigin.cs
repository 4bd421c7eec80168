using Build.ML.Graph.Ir;

namespace Build.ML.Graph.Onnx;

/// <summary>How a file encoded a graph, beyond what the model needs.</summary>
/// <param name="message">Presence, unknown fields.</param>
internal sealed class GraphOrigin(MessageOrigin message)
{
    /// <summary>Presence, unknown fields.</summary>
    public MessageOrigin Message { get; } = message;

    /// <summary>The <c>input</c> entries, in file order.</summary>
    public List<ValueRecord> Inputs { get; init; } = [];

    /// <summary>The <c>output</c> entries, in file order.</summary>
    public List<ValueRecord> Outputs { get; init; } = [];

    /// <summary>The <c>value_info</c> entries, in file order; they may name values twice, or values that do not exist.</summary>
    public List<ValueRecord> ValueInfos { get; init; } = [];

    /// <summary>The <c>quantization_annotation</c> entries with the value each is about.</summary>
    public List<(string Name, Value? Value, byte[] Bytes)> Annotations { get; init; } = [];
}

/// <summary>One <c>ValueInfoProto</c> as the file had it.</summary>
internal sealed record ValueRecord
{
    public required string Name { get; init; }

    /// <summary>The value it is about, null when there is none of that name.</summary>
    public Value? Value { get; set; }

    public OnnxType? Type { get; init; }

    public string DocString { get; init; } = "";

    public IReadOnlyList<KeyValuePair<string, string>> Metadata { get; init; } = [];

    public MessageOrigin? Origin { get; init; }

    /// <summary>The type as encoded, where the writer would encode it otherwise.</summary>
    public byte[]? EncodedType { get; init; }

    /// <summary>The type the value had when reading was done; as long as it has it, <see cref="Type"/> is what is written.</summary>
    public OnnxType? AssignedType { get; set; }

    /// <summary>Whether the value took documentation and metadata from here.</summary>
    public bool IsPrimary { get; set; }
}
