namespace Build.ML.Graph.Ir;

/// <summary>A function local to the model: <c>FunctionProto</c>. Its body's inputs and outputs carry no types.</summary>
/// <param name="domain">Domain of the operator it defines.</param>
/// <param name="name">Name of the operator it defines.</param>
public sealed class Function(string domain, string name)
{
    /// <summary>Domain of the operator the function defines.</summary>
    public string Domain { get; set; } = domain;

    /// <summary>Name of the operator the function defines.</summary>
    public string Name { get; set; } = name;

    /// <summary>Distinguishes functions of one name; empty by default.</summary>
    public string Overload { get; set; } = "";

    /// <summary>Documentation.</summary>
    public string DocString { get; set; } = "";

    /// <summary>Inputs, nodes and outputs.</summary>
    public OnnxGraph Body { get; init; } = new();

    /// <summary>Names of attributes a call must give.</summary>
    public IList<string> RequiredAttributes { get; } = [];

    /// <summary>Attributes with defaults.</summary>
    public IList<NodeAttribute> DefaultAttributes { get; } = [];

    /// <summary>Operator sets the body uses: domain to version.</summary>
    public OperatorSets OperatorSets { get; } = [];

    /// <summary>Metadata, in file order.</summary>
    public IList<KeyValuePair<string, string>> Metadata { get; } = [];

    /// <summary>How the file encoded it; null for what was made here.</summary>
    internal Onnx.MessageOrigin? Origin { get; set; }
}
