namespace Build.ML.Graph.Onnx;

/// <summary>Writes types: <c>TypeProto</c> and what it holds.</summary>
internal static class TypeWriter
{
    /// <summary>The bytes of a type; none for no type.</summary>
    public static byte[] Encode(OnnxType? type)
    {
        if (type is null)
        {
            return [];
        }

        var writer = new WireWriter(256);
        Write(writer, type);
        var bytes = new byte[writer.Position];
        using var stream = new MemoryStream(bytes);
        writer.WriteTo(stream);
        Write(writer, type);
        writer.Flush();
        return bytes;
    }

    /// <summary>Writes the fields of a type.</summary>
    public static void Write(WireWriter writer, OnnxType type)
    {
        switch (type)
        {
            case TensorType tensor:
                WriteTensor(writer, TypeField.Tensor, tensor.ElementType, tensor.Shape);
                break;
            case SequenceType sequence:
                WriteElement(writer, TypeField.Sequence, sequence.ElementType);
                break;
            case MapType map:
                writer.Begin(TypeField.Map);
                writer.Int64(TypeField.KeyType, (long)map.KeyType, null);
                Write(writer, TypeField.ValueType, map.ValueType);
                writer.End();
                break;
        }

        writer.String(TypeField.Denotation, type.Denotation, null);
        switch (type)
        {
            case OpaqueType opaque:
                writer.Begin(TypeField.Opaque);
                writer.String(TypeField.OpaqueDomain, opaque.Domain, null);
                writer.String(TypeField.OpaqueName, opaque.Name, null);
                writer.End();
                break;
            case SparseTensorType sparse:
                WriteTensor(writer, TypeField.SparseTensor, sparse.ElementType, sparse.Shape);
                break;
            case OptionalType optional:
                WriteElement(writer, TypeField.Optional, optional.ElementType);
                break;
        }
    }

    private static void Write(WireWriter writer, int field, OnnxType? type)
    {
        if (type is not null)
        {
            writer.Begin(field);
            Write(writer, type);
            writer.End();
        }
    }

    private static void WriteElement(WireWriter writer, int field, OnnxType? element)
    {
        writer.Begin(field);
        Write(writer, TypeField.ElementType, element);
        writer.End();
    }

    private static void WriteTensor(WireWriter writer, int field, DataType element, Shape? shape)
    {
        writer.Begin(field);
        writer.Int64(TypeField.ElementType, (long)element, null);
        if (shape is not null)
        {
            writer.Begin(TypeField.Shape);
            for (var i = 0; i < shape.Rank; i++)
            {
                writer.Begin(TypeField.Dim);
                var dimension = shape.Dimensions[i];
                if (dimension.Size is { } size)
                {
                    writer.Int64(TypeField.DimValue, size);
                }
                else
                {
                    writer.String(TypeField.DimParam, dimension.Symbol ?? "", null);
                }

                writer.String(TypeField.DimDenotation, i < shape.Denotations.Length ? shape.Denotations[i] : "", null);
                writer.End();
            }

            writer.End();
        }

        writer.End();
    }
}
