using Build.ML.Graph.Ir;

namespace Build.ML.Graph.Onnx;

internal sealed partial class OnnxWriter
{
    private void WriteGraph(int field, OnnxGraph graph)
    {
        var origin = graph.Origin?.Message;
        writer.Begin(field);
        WriteNodes(GraphField.Node, graph);
        writer.String(GraphField.Name, graph.Name, origin);
        foreach (var value in graph.Initializers)
        {
            WriteTensor(GraphField.Initializer, value.Initializer!, value.Name);
        }

        writer.String(GraphField.DocString, graph.DocString, origin);
        WriteEnds(GraphField.Input, graph.Inputs, graph.Origin?.Inputs);
        WriteEnds(GraphField.Output, graph.Outputs, graph.Origin?.Outputs);
        WriteValueInfos(GraphField.ValueInfo, graph);
        foreach (var (name, value, bytes) in graph.Origin?.Annotations ?? [])
        {
            // An annotation is about a tensor by name: it goes with the tensor.
            if (value is null ? graph.FindHere(name) is null : value.Name == name && graph.FindHere(name) == value)
            {
                writer.Bytes(GraphField.QuantizationAnnotation, bytes);
            }
        }

        foreach (var (value, sparse) in graph.SparseInitializers)
        {
            WriteSparseTensor(GraphField.SparseInitializer, sparse, value.Name);
        }

        WriteEntries(GraphField.MetadataProps, graph.Metadata, origin);
        WriteUnknown(origin);
        writer.End();
    }

    private void WriteNodes(int field, OnnxGraph graph)
    {
        for (var node = graph.FirstNode; node is not null; node = node.Next)
        {
            WriteNode(field, node);
        }
    }

    /// <summary>Inputs or outputs: each as the file had it, as far as it is the same value.</summary>
    private void WriteEnds(int field, IReadOnlyList<Value> values, List<ValueRecord>? records)
    {
        var known = new Dictionary<Value, ValueRecord>();
        foreach (var record in records ?? [])
        {
            if (record.Value is not null)
            {
                known.TryAdd(record.Value, record);
            }
        }

        for (var i = 0; i < values.Count; i++)
        {
            var value = values[i];
            var same = records is not null && i < records.Count && records[i].Value == value ? records[i] : known.GetValueOrDefault(value);
            WriteValueInfo(field, value.Name, value, same);
        }
    }

    /// <summary>The entries the file had, then one for each other node output whose type is known.</summary>
    private void WriteValueInfos(int field, OnnxGraph graph)
    {
        var written = new HashSet<Value>();
        foreach (var record in graph.Origin?.ValueInfos ?? [])
        {
            if (record.Value is not { } value)
            {
                if (graph.FindHere(record.Name) is null)
                {
                    WriteValueInfo(field, record.Name, null, record);
                }
            }
            else if (graph.FindHere(value.Name) == value)
            {
                written.Add(value);
                WriteValueInfo(field, value.Name, value, record);
            }
        }

        for (var node = graph.FirstNode; node is not null; node = node.Next)
        {
            foreach (var value in node.Outputs)
            {
                if (value is { Type: not null, IsGraphOutput: false, Name.Length: > 0 } && !written.Contains(value))
                {
                    WriteValueInfo(field, value.Name, value, null);
                }
            }
        }
    }

    private void WriteValueInfo(int field, string name, Value? value, ValueRecord? record)
    {
        var asRead = record is not null && (value is null || ReferenceEquals(value.Type, record.AssignedType));
        var type = asRead ? record!.Type : value?.Type ?? (value?.Initializer is { } tensor ? new TensorType(tensor.Type, tensor.Shape) : null);
        var fromValue = value is not null && record is null or { IsPrimary: true };
        writer.Begin(field);
        writer.String(ValueInfoField.Name, name, record?.Origin);
        if (asRead && record!.EncodedType is { } encoded)
        {
            writer.Bytes(ValueInfoField.Type, encoded);
        }
        else if (type is not null)
        {
            writer.Begin(ValueInfoField.Type);
            TypeWriter.Write(writer, type);
            writer.End();
        }
        else if (record?.Origin?.Has(ValueInfoField.Type) == true)
        {
            writer.Bytes(ValueInfoField.Type, []);
        }

        writer.String(ValueInfoField.DocString, fromValue ? value!.DocString : record?.DocString ?? "", record?.Origin);
        WriteEntries(ValueInfoField.MetadataProps, fromValue ? value!.Metadata : record?.Metadata ?? [], record?.Origin);
        WriteUnknown(record?.Origin);
        writer.End();
    }
}
