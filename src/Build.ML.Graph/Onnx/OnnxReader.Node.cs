using System.Runtime.InteropServices;
using Build.ML.Graph.Ir;

namespace Build.ML.Graph.Onnx;

internal sealed partial class OnnxReader
{
    private void ReadNode(OnnxGraph graph, int index)
    {
        var origin = new MessageOrigin();
        var node = graph.CreateNode("");
        node.Origin = origin;
        var inputs = new List<string>();
        var outer = _reader.Enter("node", node, index);
        HashSet<string>? names = null;
        while (_reader.Next())
        {
            origin.Saw(_reader.Field);
            switch (_reader.Field)
            {
                case NodeField.Input:
                    inputs.Add(_reader.ReadString());
                    break;
                case NodeField.Output:
                    ReadOutput(graph, node, _reader.ReadString());
                    break;
                case NodeField.Name:
                    node.Name = _reader.ReadString();
                    break;
                case NodeField.OpType:
                    node.OpType = _reader.ReadString();
                    break;
                case NodeField.Domain:
                    node.Domain = _reader.ReadString();
                    break;
                case NodeField.Overload:
                    node.Overload = _reader.ReadString();
                    break;
                case NodeField.DocString:
                    node.DocString = _reader.ReadString();
                    break;
                case NodeField.Attribute:
                    var attribute = ReadAttribute();
                    if (!(names ??= []).Add(attribute.Name))
                    {
                        Report("BML2017", $"In {_reader.Place}, the attribute '{attribute.Name}' is given twice; remove one.");
                        break;
                    }

                    node.AppendAttribute(attribute);
                    break;
                case NodeField.MetadataProps:
                    ReadEntry(node.Metadata, origin);
                    break;
                default:
                    _reader.KeepUnknown(origin);
                    break;
            }
        }

        if (node.Domain == "ai.onnx")
        {
            node.Domain = "";
            origin.DomainSpelledOut = true;
        }

        _reader.Leave(outer);
        graph.InsertBefore(null, node);
        _pendingNodes.Add(new(node, inputs));
    }

    private void ReadOutput(OnnxGraph graph, Node node, string name)
    {
        if (name.Length > 0 && graph.FindHere(name) is not null)
        {
            Report("BML2013", $"In {_reader.Place}, the output '{name}' has the name of another value of the graph; a name is given once in a graph.");
            name = "";
        }

        node.AddOutput(name);
    }

    private NodeAttribute ReadAttribute()
    {
        var origin = new MessageOrigin();
        var (name, reference, doc, kind) = ("", "", "", AttributeKind.Undefined);
        var content = default(AttributeContent);
        var outer = _reader.Enter("attribute");
        var errors = _errors.Count;
        while (_reader.Next())
        {
            origin.Saw(_reader.Field);
            switch (_reader.Field)
            {
                case AttributeField.Name:
                    name = _reader.ReadString();
                    _reader.Name(name);
                    break;
                case AttributeField.RefAttrName:
                    reference = _reader.ReadString();
                    break;
                case AttributeField.DocString:
                    doc = _reader.ReadString();
                    break;
                case AttributeField.Type:
                    kind = (AttributeKind)_reader.ReadInt64();
                    break;
                default:
                    ReadAttributeContent(ref content, origin);
                    break;
            }
        }

        // Files of IR version 1 and 2 need not say the kind: then the field that is there does.
        if (kind == AttributeKind.Undefined && content.Fields.Count > 0)
        {
            kind = content.Fields[0];
        }

        var value = content.Fields.Count == 0 && reference.Length > 0 ? null : content.ValueOf(kind);

        // A list may be empty, and a writer may leave out a single number or text that is 0 or empty; anything else must be there, once, in the field
        // of its kind.
        var isWrong = !Enum.IsDefined(kind) || content.Fields.Any(f => f != kind) || (value is null && reference.Length == 0 && kind != AttributeKind.Undefined);
        if (isWrong && errors == _errors.Count)
        {
            var found = content.Fields.Count == 0 ? "has no value" : $"holds {string.Join(" and ", content.Fields)}";
            Report("BML2016", $"In {_reader.Place}, the attribute says it is {kind} and {found}; an attribute has one value, of the kind it says.");
        }

        _reader.Leave(outer);
        return new NodeAttribute(name, kind, value) { ReferenceName = reference, DocString = doc, Origin = origin };
    }

    private void ReadAttributeContent(ref AttributeContent content, MessageOrigin origin)
    {
        switch (_reader.Field)
        {
            case AttributeField.F:
                _reader.Expect(WireType.Fixed32);
                content.Set(AttributeKind.Float, BitConverter.UInt32BitsToSingle(_reader.ReadFixed32()));
                break;
            case AttributeField.I:
                content.Set(AttributeKind.Int, _reader.ReadInt64());
                break;
            case AttributeField.S:
                content.Set(AttributeKind.String, (ReadOnlyMemory<byte>)_reader.ReadBytes());
                break;
            case AttributeField.T:
                content.Set(AttributeKind.Tensor, ReadTensor("tensor", -1));
                break;
            case AttributeField.G:
                content.Set(AttributeKind.Graph, ReadSubgraph(-1));
                break;
            case AttributeField.SparseTensor:
                content.Set(AttributeKind.SparseTensor, ReadSparseTensor());
                break;
            case AttributeField.Tp:
                content.Set(AttributeKind.TypeProto, ReadTypeOf(origin));
                break;
            case AttributeField.Ints:
                ReadInts(content.List<long>(AttributeKind.Ints), origin);
                break;
            case AttributeField.Floats:
                ReadFloats(content.List<float>(AttributeKind.Floats), origin);
                break;
            case AttributeField.Strings:
                content.List<ReadOnlyMemory<byte>>(AttributeKind.Strings).Add(_reader.ReadBytes());
                break;
            case AttributeField.Tensors:
                content.AddIfRead(AttributeKind.Tensors, ReadTensor("tensor", content.Count));
                break;
            case AttributeField.Graphs:
                content.AddIfRead(AttributeKind.Graphs, ReadSubgraph(content.Count));
                break;
            case AttributeField.SparseTensors:
                content.AddIfRead(AttributeKind.SparseTensors, ReadSparseTensor());
                break;
            case AttributeField.TypeProtos:
                content.AddIfRead(AttributeKind.TypeProtos, ReadTypeOf(origin));
                break;
            default:
                _reader.KeepUnknown(origin);
                break;
        }
    }

    private OnnxGraph ReadSubgraph(int index)
    {
        var graph = new OnnxGraph();
        ReadGraph(graph, index);
        return graph;
    }

    private void ReadInts(List<long> values, MessageOrigin origin)
    {
        if (_reader.Wire != WireType.Bytes)
        {
            values.Add(_reader.ReadInt64());
            return;
        }

        origin.SawPacked(_reader.Field);
        var length = _reader.ReadLength();
        for (var end = _reader.Position + length; _reader.Position < end;)
        {
            values.Add((long)_reader.ReadVarint());
            if (_reader.Position > end)
            {
                throw _reader.Malformed("the last number of a packed list reaches beyond the list");
            }
        }
    }

    private void ReadFloats(List<float> values, MessageOrigin origin)
    {
        if (_reader.Wire != WireType.Bytes)
        {
            _reader.Expect(WireType.Fixed32);
            values.Add(BitConverter.UInt32BitsToSingle(_reader.ReadFixed32()));
            return;
        }

        origin.SawPacked(_reader.Field);
        var bytes = _reader.ReadBytes();
        if (bytes.Length % sizeof(float) != 0)
        {
            throw _reader.Malformed($"a packed list of floats has {bytes.Length} bytes, no multiple of 4");
        }

        foreach (var value in MemoryMarshal.Cast<byte, float>(bytes))
        {
            values.Add(value);
        }
    }
}
