using Build.ML.Graph.Ir;

namespace Build.ML.Graph.Onnx;

internal sealed partial class OnnxReader
{
    private void ReadGraph(OnnxGraph graph, int index)
    {
        var origin = new MessageOrigin();
        var details = graph.Origin = new GraphOrigin(origin);
        var outer = _reader.Enter("graph", graph, index);
        var (nodes, initializers, inputs) = (0, 0, 0);
        while (_reader.Next())
        {
            origin.Saw(_reader.Field);
            switch (_reader.Field)
            {
                case GraphField.Name:
                    graph.Name = _reader.ReadString();
                    break;
                case GraphField.DocString:
                    graph.DocString = _reader.ReadString();
                    break;
                case GraphField.Node:
                    ReadNode(graph, nodes++);
                    break;
                case GraphField.Initializer:
                    ReadInitializer(graph, initializers++);
                    break;
                case GraphField.SparseInitializer:
                    ReadSparseInitializer(graph);
                    break;
                case GraphField.Input:
                    var input = ReadValueInfo("input", inputs++);
                    input.Value = Input(graph, input.Name);
                    details.Inputs.Add(input);
                    break;
                case GraphField.Output:
                    details.Outputs.Add(ReadValueInfo("output", details.Outputs.Count));
                    break;
                case GraphField.ValueInfo:
                    details.ValueInfos.Add(ReadValueInfo("value_info", details.ValueInfos.Count));
                    break;
                case GraphField.QuantizationAnnotation:
                    ReadAnnotation(details);
                    break;
                case GraphField.MetadataProps:
                    ReadEntry(graph.Metadata, origin);
                    break;
                default:
                    _reader.KeepUnknown(origin);
                    break;
            }
        }

        _pendingGraphs.Add(new(graph, details.Outputs, _reader.Place));
        _reader.Leave(outer);
    }

    private Value? Input(OnnxGraph graph, string name)
    {
        if (graph.FindHere(name) is { IsGraphInput: true } or { Producer: not null })
        {
            Report("BML2013", $"In {_reader.Place}, the input '{name}' has the name of another input or of a node's output; a name is given once in a graph.");
            return null;
        }

        return graph.AddInput(name, null);
    }

    private void ReadInitializer(OnnxGraph graph, int index)
    {
        if (ReadTensor("initializer", index) is not { } read)
        {
            return;
        }

        var name = read.Name;
        if (graph.FindHere(name) is { } other && (other.Initializer is not null || other.Producer is not null))
        {
            Report("BML2013", $"In {_reader.Place}, the initializer '{name}' has the name of another initializer or of a node's output; a name is given once in a graph.");
            return;
        }

        graph.SetInitializer(graph.Declare(name), read);
    }

    private void ReadSparseInitializer(OnnxGraph graph)
    {
        if (ReadSparseTensor() is not { } sparse)
        {
            return;
        }

        var name = sparse.Values.Name;
        if (graph.FindHere(name) is { } other && (other.Initializer is not null || other.Producer is not null || other.IsSparseInitializer))
        {
            Report("BML2013", $"In {_reader.Place}, the sparse initializer '{name}' has the name of another initializer or of a node's output; a name is given once in a graph.");
            return;
        }

        var value = graph.Declare(name);
        value.IsSparseInitializer = true;
        graph.SparseInitializers.Add(new(value, sparse));
    }

    private void ReadAnnotation(GraphOrigin details)
    {
        var name = "";
        var outer = _reader.Enter("quantization_annotation");
        var start = _reader.Position;
        while (_reader.Next())
        {
            if (_reader.Field == AnnotationField.TensorName)
            {
                name = _reader.ReadString();
            }
            else
            {
                _reader.SkipValue();
            }
        }

        details.Annotations.Add((name, null, _reader.Since(start)));
        _reader.Leave(outer);
    }

    private ValueRecord ReadValueInfo(string kind, int index = -1)
    {
        var origin = new MessageOrigin();
        var (name, doc, metadata) = ("", "", new List<KeyValuePair<string, string>>());
        OnnxType? type = null;
        byte[]? encoded = null;
        var outer = _reader.Enter(kind, null, index);
        while (_reader.Next())
        {
            origin.Saw(_reader.Field);
            switch (_reader.Field)
            {
                case ValueInfoField.Name:
                    name = _reader.ReadString();
                    _reader.Name(name);
                    break;
                case ValueInfoField.Type:
                    (type, encoded) = ReadTypeKeepingOdd();
                    break;
                case ValueInfoField.DocString:
                    doc = _reader.ReadString();
                    break;
                case ValueInfoField.MetadataProps:
                    ReadEntry(metadata, origin);
                    break;
                default:
                    _reader.KeepUnknown(origin);
                    break;
            }
        }

        _reader.Leave(outer);
        return new ValueRecord { Name = name, Type = type, DocString = doc, Metadata = metadata, Origin = origin, EncodedType = encoded };
    }
}
