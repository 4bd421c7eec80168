using Build.ML.Graph.Ir;

namespace Build.ML.Graph;

/// <summary>
/// An ONNX model: <c>ModelProto</c>. Opened from a file, its weights stay there, memory-mapped, until touched; disposing the model lets go
/// of the file.
/// </summary>
public sealed partial class Model : IDisposable
{
    /// <summary>A model around a graph.</summary>
    /// <param name="graph">The main graph; an empty one by default.</param>
    /// <param name="opset">Version of ONNX's own operator set; default 21.</param>
    public Model(OnnxGraph? graph = null, long opset = 21)
    {
        Graph = graph ?? new OnnxGraph("main");
        if (opset > 0)
        {
            OperatorSets[""] = opset;
        }
    }

    /// <summary>IR version of the file format; default 10 (ONNX 1.16, opset 21).</summary>
    public long IrVersion { get; set; } = 10;

    /// <summary>Operator sets the main graph uses: domain to version.</summary>
    public OperatorSets OperatorSets { get; } = [];

    /// <summary>Version of ONNX's own operator set.</summary>
    public long Opset => OperatorSets[""];

    /// <summary>Tool that made the model.</summary>
    public string ProducerName { get; set; } = "";

    /// <summary>Version of that tool.</summary>
    public string ProducerVersion { get; set; } = "";

    /// <summary>Namespace of the model, a reverse domain name by convention.</summary>
    public string Domain { get; set; } = "";

    /// <summary>Version of the model itself.</summary>
    public long ModelVersion { get; set; }

    /// <summary>Documentation.</summary>
    public string DocString { get; set; } = "";

    /// <summary>Metadata (<c>metadata_props</c>), in file order.</summary>
    public IList<KeyValuePair<string, string>> Metadata { get; } = [];

    /// <summary>The main graph.</summary>
    public OnnxGraph Graph { get; }

    /// <summary>Functions local to the model.</summary>
    public IList<Function> Functions { get; } = [];

    /// <summary>The file the model was opened from, or null.</summary>
    public string? Path { get; private init; }

    /// <summary>All nodes of the main graph and its subgraphs; functions are not included.</summary>
    public IEnumerable<Node> AllNodes => Graph.AllNodes;

    /// <summary>Training information (<c>training_info</c>), kept as bytes.</summary>
    internal IList<ReadOnlyMemory<byte>> TrainingInfo { get; } = [];

    /// <summary>How the file encoded it; null for what was made here.</summary>
    internal Onnx.MessageOrigin? Origin { get; set; }
}
