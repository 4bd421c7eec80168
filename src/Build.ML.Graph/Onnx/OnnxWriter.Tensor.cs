using System.Globalization;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;

namespace Build.ML.Graph.Onnx;

internal sealed partial class OnnxWriter
{
    private void WriteTensor(int field, Tensor tensor, string name)
    {
        var origin = tensor.Origin;
        var message = origin?.Message;
        var external = layout.OffsetOf(tensor);
        writer.Begin(field);
        WriteInts(TensorField.Dims, tensor.Sizes.AsSpan(), message);
        writer.Int64(TensorField.DataType, (long)tensor.Type, message);
        if (message?.Has(TensorField.Segment) == true)
        {
            writer.Bytes(TensorField.Segment, origin!.Segment.Span);
        }

        WriteElements(tensor, external is not null, TensorField.FloatData, TensorField.Int64Data);
        writer.String(TensorField.Name, name, message);
        WriteElements(tensor, external is not null, TensorField.RawData, TensorField.UInt64Data);
        writer.String(TensorField.DocString, tensor.DocString, message);
        if (external is { } offset)
        {
            WriteEntry(TensorField.ExternalData, "location", layout.Location);
            WriteEntry(TensorField.ExternalData, "offset", offset.ToString(CultureInfo.InvariantCulture));
            WriteEntry(TensorField.ExternalData, "length", tensor.ByteLength.ToString(CultureInfo.InvariantCulture));
            writer.Int64(TensorField.DataLocation, 1);
        }
        else if (message?.Has(TensorField.DataLocation) == true)
        {
            writer.Int64(TensorField.DataLocation, 0);
        }

        WriteEntries(TensorField.MetadataProps, origin?.Metadata ?? [], message);
        WriteUnknown(message);
        writer.End();
    }

    /// <summary>The fields with elements whose numbers lie in a range.</summary>
    private void WriteElements(Tensor tensor, bool isExternal, int first, int last)
    {
        var origin = tensor.Origin;
        if (!isExternal && (origin is null || origin.IsExternal))
        {
            if (tensor.Type == DataType.String)
            {
                WriteStrings(tensor, first);
            }
            else if (first == TensorField.RawData)
            {
                writer.Content(TensorField.RawData, tensor.Content);
            }

            return;
        }

        for (var field = first; field <= last && !isExternal; field++)
        {
            var hasRuns = false;
            foreach (var run in origin!.Runs)
            {
                if (run.Field == field)
                {
                    hasRuns = true;
                    writer.RawContent(run.Length, run, static r => r.Source.Content(r.Offset, r.Length));
                }
            }

            if (!hasRuns && origin.ContentField == field)
            {
                writer.Content(field, tensor.Content);
            }
        }
    }

    private void WriteStrings(Tensor tensor, int first)
    {
        if (first == TensorField.FloatData)
        {
            foreach (var text in tensor.Strings)
            {
                writer.String(TensorField.StringData, text);
            }
        }
    }

    private void WriteSparseTensor(int field, SparseTensor sparse, string name)
    {
        writer.Begin(field);
        WriteTensor(SparseTensorField.Values, sparse.Values, name);
        WriteTensor(SparseTensorField.Indices, sparse.Indices, sparse.Indices.Name);
        WriteInts(SparseTensorField.Dims, sparse.Sizes.AsSpan(), sparse.Origin);
        WriteUnknown(sparse.Origin);
        writer.End();
    }
}
