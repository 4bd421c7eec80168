using System.Collections.Immutable;
using System.Runtime.InteropServices;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;

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
        object? single = null;
        var singleField = 0;
        var ints = new List<long>();
        var floats = new List<float>();
        var strings = new List<ReadOnlyMemory<byte>>();
        var tensors = new List<Tensor>();
        var graphs = new List<OnnxGraph>();
        var sparse = new List<SparseTensor>();
        var types = new List<OnnxType>();
        var outer = _reader.Enter("attribute");
        var errors = _errors.Count;
        while (_reader.Next())
        {
            var field = _reader.Field;
            origin.Saw(field);
            switch (field)
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
                case AttributeField.F:
                    _reader.Expect(WireType.Fixed32);
                    (single, singleField) = (BitConverter.UInt32BitsToSingle(_reader.ReadFixed32()), field);
                    break;
                case AttributeField.I:
                    (single, singleField) = (_reader.ReadInt64(), field);
                    break;
                case AttributeField.S:
                    (single, singleField) = ((ReadOnlyMemory<byte>)_reader.ReadBytes(), field);
                    break;
                case AttributeField.T:
                    (single, singleField) = (ReadTensor("tensor", -1), field);
                    break;
                case AttributeField.G:
                    var graph = new OnnxGraph();
                    ReadGraph(graph, -1);
                    (single, singleField) = (graph, field);
                    break;
                case AttributeField.SparseTensor:
                    (single, singleField) = (ReadSparseTensor(), field);
                    break;
                case AttributeField.Tp:
                    (single, singleField) = (ReadTypeOf(origin), field);
                    break;
                case AttributeField.Ints:
                    ReadInts(ints, origin);
                    break;
                case AttributeField.Floats:
                    ReadFloats(floats, origin);
                    break;
                case AttributeField.Strings:
                    strings.Add(_reader.ReadBytes());
                    break;
                case AttributeField.Tensors:
                    if (ReadTensor("tensor", tensors.Count) is { } tensor)
                    {
                        tensors.Add(tensor);
                    }

                    break;
                case AttributeField.Graphs:
                    var item = new OnnxGraph();
                    ReadGraph(item, graphs.Count);
                    graphs.Add(item);
                    break;
                case AttributeField.SparseTensors:
                    if (ReadSparseTensor() is { } sparseItem)
                    {
                        sparse.Add(sparseItem);
                    }

                    break;
                case AttributeField.TypeProtos:
                    types.Add(ReadTypeOf(origin));
                    break;
                default:
                    _reader.KeepUnknown(origin);
                    break;
            }
        }

        // Files of IR version 1 and 2 need not say the kind: then the field that is there does.
        var filled = (singleField != 0 ? 1 : 0) + (ints.Count > 0 ? 1 : 0) + (floats.Count > 0 ? 1 : 0) + (strings.Count > 0 ? 1 : 0)
            + (tensors.Count > 0 ? 1 : 0) + (graphs.Count > 0 ? 1 : 0) + (sparse.Count > 0 ? 1 : 0) + (types.Count > 0 ? 1 : 0);
        if (kind == AttributeKind.Undefined)
        {
            kind = singleField != 0 ? KindOf(singleField)
                : ints.Count > 0 ? AttributeKind.Ints
                : floats.Count > 0 ? AttributeKind.Floats
                : strings.Count > 0 ? AttributeKind.Strings
                : tensors.Count > 0 ? AttributeKind.Tensors
                : graphs.Count > 0 ? AttributeKind.Graphs
                : sparse.Count > 0 ? AttributeKind.SparseTensors
                : types.Count > 0 ? AttributeKind.TypeProtos
                : AttributeKind.Undefined;
        }

        object? value = kind switch
        {
            _ when filled == 0 && reference.Length > 0 => null,
            AttributeKind.Float => singleField == 0 ? 0f : single as float?,
            AttributeKind.Int => singleField == 0 ? 0L : single as long?,
            AttributeKind.String => singleField == 0 ? default(ReadOnlyMemory<byte>) : single as ReadOnlyMemory<byte>?,
            AttributeKind.Tensor => single as Tensor,
            AttributeKind.Graph => single as OnnxGraph,
            AttributeKind.SparseTensor => single as SparseTensor,
            AttributeKind.TypeProto => single as OnnxType,
            AttributeKind.Ints => ints.ToImmutableArray(),
            AttributeKind.Floats => floats.ToImmutableArray(),
            AttributeKind.Strings => strings.ToImmutableArray(),
            AttributeKind.Tensors => tensors.ToImmutableArray(),
            AttributeKind.Graphs => graphs.ToImmutableArray(),
            AttributeKind.SparseTensors => sparse.ToImmutableArray(),
            AttributeKind.TypeProtos => types.ToImmutableArray(),
            _ => null,
        };

        // A list's length may be 0; anything else must be there once, in the field of its kind.
        var isList = kind is >= AttributeKind.Floats and <= AttributeKind.Graphs or AttributeKind.SparseTensors or AttributeKind.TypeProtos;
        var misplaced = filled > 1 || (filled == 1 && isList && LengthOf(value) == 0) || (filled == 1 && !isList && singleField == 0);
        if (errors == _errors.Count && (!Enum.IsDefined(kind) || misplaced || (value is null && reference.Length == 0 && kind != AttributeKind.Undefined)))
        {
            Report(
                "BML2016",
                $"In {_reader.Place}, the attribute says it is {kind} and {(filled == 0 ? "has no value" : "holds another kind of value, or several")}; "
                + "an attribute has one value, of the kind it says.");
        }

        _reader.Leave(outer);
        return new NodeAttribute(name, kind, value) { ReferenceName = reference, DocString = doc, Origin = origin };
    }

    private static int LengthOf(object? list) => list is System.Collections.ICollection collection ? collection.Count : 0;

    private static AttributeKind KindOf(int field) => field switch
    {
        AttributeField.F => AttributeKind.Float,
        AttributeField.I => AttributeKind.Int,
        AttributeField.S => AttributeKind.String,
        AttributeField.T => AttributeKind.Tensor,
        AttributeField.G => AttributeKind.Graph,
        AttributeField.SparseTensor => AttributeKind.SparseTensor,
        _ => AttributeKind.TypeProto,
    };

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
