namespace Build.ML.Packing.Format;

/// <summary>How elements of a weight are seen.</summary>
internal enum ElementKind
{
    /// <summary>Bits of unsigned or signed integers.</summary>
    Integer,

    /// <summary>Four bytes each.</summary>
    Float,
}

/// <summary>Where in a file the bytes of a weight are.</summary>
internal readonly struct WeightBytes(int start, int length, ElementKind kind)
{
    /// <summary>First byte.</summary>
    public int Start { get; } = start;

    /// <summary>Number of bytes.</summary>
    public int Length { get; } = length;

    /// <summary>What they are.</summary>
    public ElementKind Kind { get; } = kind;
}

/// <summary>
/// Finds the weights in the bytes of an ONNX file by field numbers of onnx.proto: ModelProto.graph 7, GraphProto.initializer 5, TensorProto.data_type 2, raw_data 9. What is not understood is not
/// looked at: any bytes can be packed.
/// </summary>
internal static class OnnxWeights
{
    private const int Least = 64; // a header would outweigh the gain

    /// <summary>Weights in the order of the file, none overlapping.</summary>
    public static List<WeightBytes> Find(byte[] model)
    {
        var found = new List<WeightBytes>();
        Visit(model, 0, model.Length, 7, (graph, graphEnd) => Visit(model, graph, graphEnd, 5, (tensor, tensorEnd) => AddTensor(model, tensor, tensorEnd, found)));
        return found;
    }

    private static void AddTensor(byte[] model, int at, int end, List<WeightBytes> found)
    {
        ulong type = 0;
        var (start, length, parts) = (0, 0, 0);
        while (at < end && Field(model, ref at, end, out var number, out var wire, out var value, out var content))
        {
            if (number == 2 && wire == 0)
            {
                type = value;
            }
            else if (number == 9 && wire == 2)
            {
                (start, length) = (content, (int)value);
                parts++;
            }
        }

        // FLOAT 1; UINT8 2, INT8 3, BOOL 9, UINT4 21, INT4 22, UINT2 25, INT2 26.
        if (parts == 1 && length >= Least && (type == 1 ? length % 4 == 0 : type is 2 or 3 or 9 or 21 or 22 or 25 or 26))
        {
            found.Add(new(start, length, type == 1 ? ElementKind.Float : ElementKind.Integer));
        }
    }

    private static void Visit(byte[] model, int at, int end, int wanted, Action<int, int> visit)
    {
        while (at < end && Field(model, ref at, end, out var number, out var wire, out var value, out var content))
        {
            if (number == wanted && wire == 2)
            {
                visit(content, content + (int)value);
            }
        }
    }

    // A field of a protobuf message: its number, and its value or where its content is. False where the bytes are none.
    private static bool Field(byte[] bytes, ref int at, int end, out int number, out int wire, out ulong value, out int content)
    {
        (number, wire, value, content) = (0, 0, 0, 0);
        if (!Varint(bytes, ref at, end, out var tag))
        {
            return false;
        }

        (number, wire) = ((int)(tag >> 3), (int)(tag & 7));
        ulong length;
        switch (wire)
        {
            case 0:
                return Varint(bytes, ref at, end, out value);
            case 1 or 5:
                length = wire == 1 ? 8u : 4;
                break;
            case 2:
                if (!Varint(bytes, ref at, end, out length))
                {
                    return false;
                }

                break;
            default:
                return false;
        }

        if (length > (ulong)(end - at))
        {
            return false;
        }

        (value, content) = (length, at);
        at += (int)length;
        return true;
    }

    private static bool Varint(byte[] bytes, ref int at, int end, out ulong value)
    {
        value = 0;
        for (var shift = 0; shift < 64 && at < end; shift += 7)
        {
            var next = bytes[at++];
            value |= (ulong)(next & 0x7F) << shift;
            if (next < 128)
            {
                return true;
            }
        }

        return false;
    }
}
