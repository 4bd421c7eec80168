using System.Collections.Immutable;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;

namespace Build.ML.Graph.Onnx;

internal sealed partial class OnnxWriter
{
    private void WriteNode(int field, Node node)
    {
        var origin = node.Origin;
        writer.Begin(field);
        foreach (var input in node.Inputs)
        {
            writer.String(NodeField.Input, input?.Name ?? "");
        }

        foreach (var output in node.Outputs)
        {
            writer.String(NodeField.Output, output.Name);
        }

        writer.String(NodeField.Name, node.Name, origin);
        writer.String(NodeField.OpType, node.OpType, origin);
        foreach (var attribute in node.Attributes)
        {
            WriteAttribute(NodeField.Attribute, attribute);
        }

        writer.String(NodeField.DocString, node.DocString, origin);
        writer.String(NodeField.Domain, node.Domain.Length == 0 && origin?.DomainSpelledOut == true ? "ai.onnx" : node.Domain, origin);
        writer.String(NodeField.Overload, node.Overload, origin);
        WriteEntries(NodeField.MetadataProps, node.Metadata, origin);
        WriteUnknown(origin);
        writer.End();
    }

    private void WriteAttribute(int field, NodeAttribute attribute)
    {
        var origin = attribute.Origin;
        writer.Begin(field);
        writer.String(AttributeField.Name, attribute.Name, origin);
        WriteValue(attribute, origin, before: true);
        writer.String(AttributeField.DocString, attribute.DocString, origin);
        WriteValue(attribute, origin, before: false);
        if (origin is null || origin.Has(AttributeField.Type))
        {
            writer.Int64(AttributeField.Type, (long)attribute.Kind);
        }

        writer.String(AttributeField.RefAttrName, attribute.ReferenceName, origin);
        switch (attribute.Value)
        {
            case SparseTensor sparse:
                WriteSparseTensor(AttributeField.SparseTensor, sparse, sparse.Values.Name);
                break;
            case ImmutableArray<SparseTensor> list:
                foreach (var sparse in list)
                {
                    WriteSparseTensor(AttributeField.SparseTensors, sparse, sparse.Values.Name);
                }

                break;
        }

        WriteUnknown(origin);
        writer.End();
    }

    /// <summary>The value: kinds whose field number is below that of doc_string, or the others but sparse tensors.</summary>
    private void WriteValue(NodeAttribute attribute, MessageOrigin? origin, bool before)
    {
        switch (attribute.Value)
        {
            case float value when before && (value != 0 || IsWritten(AttributeField.F)):
                writer.Float(AttributeField.F, value);
                break;
            case long value when before && (value != 0 || IsWritten(AttributeField.I)):
                writer.Int64(AttributeField.I, value);
                break;
            case ReadOnlyMemory<byte> value when before && (value.Length > 0 || IsWritten(AttributeField.S)):
                writer.Bytes(AttributeField.S, value.Span);
                break;
            case Tensor value when before:
                WriteTensor(AttributeField.T, value, value.Name);
                break;
            case OnnxGraph value when before:
                WriteGraph(AttributeField.G, value);
                break;
            case ImmutableArray<float> values when before:
                WriteFloats(values, origin);
                break;
            case ImmutableArray<long> values when before:
                WriteInts(AttributeField.Ints, values.AsSpan(), origin);
                break;
            case ImmutableArray<ReadOnlyMemory<byte>> values when before:
                foreach (var value in values)
                {
                    writer.Bytes(AttributeField.Strings, value.Span);
                }

                break;
            case ImmutableArray<Tensor> values when before:
                foreach (var value in values)
                {
                    WriteTensor(AttributeField.Tensors, value, value.Name);
                }

                break;
            case ImmutableArray<OnnxGraph> values when before:
                foreach (var value in values)
                {
                    WriteGraph(AttributeField.Graphs, value);
                }

                break;
            case OnnxType value when !before:
                WriteType(AttributeField.Tp, value, origin);
                break;
            case ImmutableArray<OnnxType> values when !before:
                foreach (var value in values)
                {
                    WriteType(AttributeField.TypeProtos, value, origin);
                }

                break;
        }

        bool IsWritten(int field) => origin?.Has(field) != false;
    }

    private void WriteType(int field, OnnxType type, MessageOrigin? origin)
    {
        if (origin?.Odd(field, type) is { } bytes)
        {
            writer.Bytes(field, bytes);
            return;
        }

        writer.Begin(field);
        TypeWriter.Write(writer, type);
        writer.End();
    }

    private void WriteFloats(ImmutableArray<float> values, MessageOrigin? origin)
    {
        var isPacked = origin?.IsPacked(AttributeField.Floats) == true;
        if (isPacked)
        {
            writer.Tag(AttributeField.Floats, WireType.Bytes);
            writer.Varint((ulong)values.Length * sizeof(float));
        }

        foreach (var value in values)
        {
            if (isPacked)
            {
                writer.RawFloat(value);
            }
            else
            {
                writer.Float(AttributeField.Floats, value);
            }
        }
    }

    private void WriteInts(int field, ReadOnlySpan<long> values, MessageOrigin? origin)
    {
        if (origin?.IsPacked(field) != true)
        {
            foreach (var value in values)
            {
                writer.Int64(field, value);
            }

            return;
        }

        writer.Begin(field);
        foreach (var value in values)
        {
            writer.Varint((ulong)value);
        }

        writer.End();
    }
}
