using Build.ML.Graph.Ir;

namespace Build.ML.Graph.Onnx;

/// <summary>
/// Writes a model in the order of field numbers, as protobuf's own writers do, unknown fields last. Runs twice over the same code: see
/// <see cref="WireWriter"/>.
/// </summary>
/// <param name="writer">Where to.</param>
/// <param name="layout">Which tensors go into a file beside, and where.</param>
internal sealed partial class OnnxWriter(WireWriter writer, ExternalLayout layout)
{
    /// <summary>Writes all of a model.</summary>
    public void Write(Model model)
    {
        var origin = model.Origin;
        writer.Int64(ModelField.IrVersion, model.IrVersion, origin);
        writer.String(ModelField.ProducerName, model.ProducerName, origin);
        writer.String(ModelField.ProducerVersion, model.ProducerVersion, origin);
        writer.String(ModelField.Domain, model.Domain, origin);
        writer.Int64(ModelField.ModelVersion, model.ModelVersion, origin);
        writer.String(ModelField.DocString, model.DocString, origin);
        WriteGraph(ModelField.Graph, model.Graph);
        WriteOperatorSets(ModelField.OpsetImport, model.OperatorSets);
        WriteEntries(ModelField.MetadataProps, model.Metadata, origin);
        foreach (var training in model.TrainingInfo)
        {
            writer.Bytes(ModelField.TrainingInfo, training.Span);
        }

        foreach (var function in model.Functions)
        {
            WriteFunction(function);
        }

        WriteUnknown(origin);
    }

    private void WriteFunction(Function function)
    {
        var origin = function.Origin;
        var body = function.Body;
        writer.Begin(ModelField.Functions);
        writer.String(FunctionField.Name, function.Name, origin);
        foreach (var input in body.Inputs)
        {
            writer.String(FunctionField.Input, input.Name);
        }

        foreach (var output in body.Outputs)
        {
            writer.String(FunctionField.Output, output.Name);
        }

        foreach (var name in function.RequiredAttributes)
        {
            writer.String(FunctionField.Attribute, name);
        }

        WriteNodes(FunctionField.Node, body);
        writer.String(FunctionField.DocString, function.DocString, origin);
        WriteOperatorSets(FunctionField.OpsetImport, function.OperatorSets);
        writer.String(FunctionField.Domain, function.Domain, origin);
        foreach (var attribute in function.DefaultAttributes)
        {
            WriteAttribute(FunctionField.AttributeProto, attribute);
        }

        WriteValueInfos(FunctionField.ValueInfo, body);
        writer.String(FunctionField.Overload, function.Overload, origin);
        WriteEntries(FunctionField.MetadataProps, function.Metadata, origin);
        WriteUnknown(origin);
        writer.End();
    }

    private void WriteOperatorSets(int field, OperatorSets sets)
    {
        foreach (var (domain, version) in sets)
        {
            var origin = sets.OriginOf(domain);
            writer.Begin(field);
            writer.String(OperatorSetField.Domain, domain, origin);
            writer.Int64(OperatorSetField.Version, version, origin);
            WriteUnknown(origin);
            writer.End();
        }
    }

    private void WriteEntries(int field, IEnumerable<KeyValuePair<string, string>> entries, MessageOrigin? parent)
    {
        foreach (var entry in entries)
        {
            if (parent?.Odd(field, entry) is { } bytes)
            {
                writer.Bytes(field, bytes);
                continue;
            }

            WriteEntry(field, entry.Key, entry.Value);
        }
    }

    private void WriteEntry(int field, string key, string value)
    {
        writer.Begin(field);
        writer.String(EntryField.Key, key);
        writer.String(EntryField.Value, value);
        writer.End();
    }

    private void WriteUnknown(MessageOrigin? origin)
    {
        if (origin is not null)
        {
            writer.Raw(origin.Unknown);
        }
    }
}
