namespace Build.ML.TestSupport;

/// <summary>Small ONNX files written by hand (field numbers of onnx.proto), so that reader tests do not depend on the product's writer.</summary>
public static class OnnxSample
{
    /// <summary>A ModelProto around a graph, opset 21.</summary>
    public static ProtoMessage Model(ProtoMessage graph) => new ProtoMessage().Varint(1, 10).Message(7, graph).Message(8, new ProtoMessage().Text(1, "").Varint(2, 21));

    /// <summary>A NodeProto.</summary>
    public static ProtoMessage Node(string opType, string[] inputs, string[] outputs, string name = "", params ProtoMessage[] attributes)
    {
        var node = new ProtoMessage().Texts(1, inputs).Texts(2, outputs);
        if (name.Length > 0)
            node.Text(3, name);
        node.Text(4, opType);
        foreach (var attribute in attributes)
            node.Message(5, attribute);
        return node;
    }

    /// <summary>An AttributeProto: its content is written before its kind.</summary>
    public static ProtoMessage Attribute(string name, int kind, Action<ProtoMessage> content)
    {
        var attribute = new ProtoMessage().Text(1, name);
        content(attribute);
        return attribute.Varint(20, kind);
    }

    /// <summary>A ValueInfoProto of a tensor; sizes below 0 are written as the symbol n.</summary>
    public static ProtoMessage TensorValue(string name, int type, params long[] sizes)
    {
        var shape = new ProtoMessage();
        foreach (var size in sizes)
            shape.Message(1, size < 0 ? new ProtoMessage().Text(2, "n") : new ProtoMessage().Varint(1, size));
        return new ProtoMessage().Text(1, name).Message(2, new ProtoMessage().Message(1, new ProtoMessage().Varint(1, type).Message(2, shape)));
    }

    /// <summary>A TensorProto with raw_data.</summary>
    public static ProtoMessage RawTensor(string name, int type, ReadOnlySpan<byte> data, params long[] sizes) =>
        new ProtoMessage().Varints(1, sizes).Varint(2, type).Text(8, name).Bytes(9, data);

    /// <summary>y = x + w, w = [1, 2].</summary>
    public static byte[] Add() => Model(
        new ProtoMessage().Message(1, Node("Add", ["x", "w"], ["y"], "add")).Text(2, "g")
            .Message(5, RawTensor("w", 1, [0, 0, 128, 63, 0, 0, 0, 64], 2))
            .Message(11, TensorValue("x", 1, 2)).Message(12, TensorValue("y", 1, 2))).ToArray();

    /// <summary>
    /// A valid model with something of everything: subgraphs, a function, all ways to hold a tensor, all kinds of types and attributes, metadata, annotations,
    /// training information, and unknown fields at each level; in the order and form that protobuf's own writer gives.
    /// </summary>
    public static byte[] Rich()
    {
        var entry = new ProtoMessage().Text(1, "key").Text(2, "value");
        var unknown = "kept"u8.ToArray();
        var branch = (string name) => new ProtoMessage()
            .Message(1, Node("Mul", ["sum", "two"], [name + "_y"], name)).Text(2, name)
            .Message(12, TensorValue(name + "_y", 1, -1, 2)).Bytes(50, unknown);
        var body = new ProtoMessage()
            .Message(1, Node("Identity", ["cond_in"], ["cond_out"])).Message(1, Node("Add", ["carried", "sum"], ["carried_out"])).Text(2, "body")
            .Message(11, TensorValue("i", 7)).Message(11, TensorValue("cond_in", 9)).Message(11, TensorValue("carried", 1, -1, 2))
            .Message(12, TensorValue("cond_out", 9)).Message(12, TensorValue("carried_out", 1, -1, 2));
        var tensor = RawTensor("", 7, [3, 0, 0, 0, 0, 0, 0, 0]);
        var sparse = new ProtoMessage().Message(1, RawTensor("sp", 1, [0, 0, 128, 63], 1)).Message(2, new ProtoMessage().Varints(1, 1).Varint(2, 7).Packed(7, 2)).Varints(3, 2, 2);
        var sequence = new ProtoMessage().Message(4, new ProtoMessage().Message(1, new ProtoMessage().Message(1, new ProtoMessage().Varint(1, 1))));
        var map = new ProtoMessage().Message(5, new ProtoMessage().Varint(1, 8).Message(2, new ProtoMessage().Message(1, new ProtoMessage().Varint(1, 7))));
        var custom = Node("Custom", ["sum", ""], ["", "c"], "custom",
            Attribute("f", 1, a => a.Float(2, 0)),
            Attribute("i", 2, a => a.Varint(3, -1)),
            Attribute("s", 3, a => a.Bytes(4, [0xFF, 0])),
            Attribute("t", 4, a => a.Message(5, tensor)),
            Attribute("fs", 6, a => a.Float(7, 1).Float(7, 2)),
            Attribute("is", 7, a => a.Packed(8, 1, -2, 300)),
            Attribute("ss", 8, a => a.Texts(9, "a", "")),
            Attribute("ts", 9, a => a.Message(10, tensor).Message(10, tensor)),
            Attribute("doc", 2, a => a.Varint(3, 0).Text(13, "documented")),
            Attribute("tp", 13, a => a.Message(14, sequence)),
            Attribute("tps", 14, a => a.Message(15, map).Message(15, sequence)),
            new ProtoMessage().Text(1, "sparse").Varint(20, 11).Message(22, sparse),
            Attribute("empty", 7, _ => { })).Text(6, "doc").Text(7, "my.domain").Message(9, entry).Bytes(10, unknown);
        var graph = new ProtoMessage()
            .Message(1, Node("Add", ["x", "w"], ["sum"], "add"))
            .Message(1, Node("If", ["flag"], ["chosen"], "if", Attribute("then_branch", 5, a => a.Message(6, branch("then"))), Attribute("else_branch", 5, a => a.Message(6, branch("else")))))
            .Message(1, Node("Loop", ["trips", "", "chosen"], ["looped"], "loop", Attribute("body", 5, a => a.Message(6, body))))
            .Message(1, custom)
            .Message(1, Node("Double", ["looped"], ["y"], "call").Text(7, "local"))
            .Text(2, "rich")
            .Message(5, RawTensor("w", 1, [0, 0, 128, 63, 0, 0, 0, 64], 2))
            .Message(5, new ProtoMessage().Varint(2, 1).PackedFloats(4, 2).Text(8, "two"))
            .Message(5, new ProtoMessage().Varint(2, 7).Packed(7, 3).Text(8, "trips").Text(12, "how often").Message(16, entry))
            .Message(5, new ProtoMessage().Varint(2, 9).Varint(5, 1).Text(8, "flag"))
            .Message(5, new ProtoMessage().Varints(1, 2).Varint(2, 8).Texts(6, "a", "b").Text(8, "words"))
            .Message(5, new ProtoMessage().Varints(1, 3).Varint(2, 22).Packed(5, 0x21, 3).Text(8, "nibbles").Bytes(40, unknown))
            .Text(10, "documentation")
            .Message(11, TensorValue("x", 1, -1, 2)).Message(11, new ProtoMessage().Text(1, "seq").Message(2, sequence)).Message(11, new ProtoMessage().Text(1, "map").Message(2, map))
            .Message(12, TensorValue("y", 1, -1, 2).Text(3, "result").Message(4, entry).Bytes(60, unknown))
            .Message(13, TensorValue("sum", 1, -1, 2)).Message(13, TensorValue("gone", 1))
            .Message(14, new ProtoMessage().Text(1, "sum").Message(2, new ProtoMessage().Text(1, "SCALE_TENSOR").Text(2, "two")))
            .Message(15, sparse).Message(16, entry).Bytes(61, unknown);
        var function = new ProtoMessage().Text(1, "Double").Texts(4, "a").Texts(5, "b").Texts(6, "required")
            .Message(7, Node("Add", ["a", "a"], ["b"], "", new ProtoMessage().Text(1, "axis").Varint(20, 2).Text(21, "required")))
            .Message(9, new ProtoMessage().Text(1, "").Varint(2, 21)).Text(10, "local").Message(11, Attribute("alpha", 1, a => a.Float(2, 0.5f)))
            .Message(12, TensorValue("b", 1, -1, 2)).Message(14, entry);
        return new ProtoMessage().Varint(1, 10).Text(2, "producer").Text(3, "1").Text(4, "org.example").Varint(5, 0).Text(6, "about").Message(7, graph)
            .Message(8, new ProtoMessage().Text(1, "").Varint(2, 21)).Message(8, new ProtoMessage().Text(1, "my.domain").Varint(2, 1)).Message(8, new ProtoMessage().Text(1, "local").Varint(2, 1))
            .Message(14, entry).Message(14, new ProtoMessage().Text(1, "valueless")).Message(20, new ProtoMessage().Bytes(1, []))
            .Message(25, function).Bytes(26, unknown).Varint(1000, 7).ToArray();
    }
}
