using Build.ML.Graph;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;

namespace Build.ML.WeightSharing.Storage;

/// <summary>
/// Writes nodes that restore indices from packed bytes, with operators that stock ONNX Runtime has for uint8. They depend on constants alone, so it runs them once, when it opens the model.
/// Index j of eight begins at bit b·j: byte ⌊b·j/8⌋ shifted right by s = b·j mod 8, and where it does not end there, the next byte shifted left by 8 − s.
/// </summary>
/// <param name="graph">Where they are put, before all else.</param>
internal sealed class IndexDecoder(OnnxGraph graph)
{
    private readonly Dictionary<string, Value> _constants = new(StringComparer.Ordinal);

    /// <summary>The operator set that has all of it; 8 bits need none of it.</summary>
    public const int Opset = 18;

    /// <summary>Indices as int32 in the shape given.</summary>
    /// <param name="name">Of the packed initializer.</param>
    /// <param name="packed">Bytes of <see cref="PackedIndices"/>.</param>
    /// <param name="bits">Bits of an index.</param>
    /// <param name="sizes">The shape.</param>
    /// <param name="before">The node that reads them.</param>
    public Value Decode(string name, TensorContent packed, int bits, ReadOnlySpan<long> sizes, Node before)
    {
        if (bits == 8)
        {
            return Cast(graph.AddInitializer(name, new Tensor(DataType.UInt8, sizes, packed)), name, before);
        }

        var count = 1L;
        foreach (var size in sizes)
        {
            count *= size;
        }

        // Where eight indices fill whole bytes evenly, each byte by itself; otherwise eight of them in as many bytes as they have bits.
        var even = 8 % bits == 0;
        var width = even ? 1 : bits;
        var bytes = graph.AddInitializer(name, new Tensor(DataType.UInt8, [packed.Length / width, width], packed));
        var inGroup = even ? 8 / bits : 8;
        var low = even ? bytes : Node("Gather", name, before, [bytes, Places(bits, inGroup, high: false)], NodeAttribute.Int("axis", 1));
        var fields = Node("BitShift", name, before, [low, Shifts(bits, inGroup, high: false)], NodeAttribute.String("direction", "RIGHT"));
        if (!even)
        {
            var high = Node("Gather", name, before, [bytes, Places(bits, inGroup, high: true)], NodeAttribute.Int("axis", 1));
            high = Node("BitShift", name, before, [high, Shifts(bits, inGroup, high: true)], NodeAttribute.String("direction", "LEFT"));
            fields = Node("BitwiseOr", name, before, [fields, high]);
        }

        fields = Node("BitwiseAnd", name, before, [fields, Constant($"indices.mask{bits}", Tensor.Of([(byte)((1 << bits) - 1)], 1))]);
        if (count % 8 != 0)
        {
            fields = Node("Reshape", name, before, [fields, Constant("indices.flat", Tensor.Of([-1L], 1))]);
            fields = Node("Slice", name, before, [fields, Constant("indices.begin", Tensor.Of([0L], 1)), graph.AddInitializer(name + ".count", Tensor.Of([count], 1))]);
        }

        fields = Node("Reshape", name, before, [fields, graph.AddInitializer(name + ".shape", Tensor.Of(sizes.ToArray(), sizes.Length))]);
        return Cast(fields, name, before);
    }

    // Which bytes; the byte behind the last is not read: its bits would be masked.
    private Value Places(int bits, int count, bool high) => Constant(
        $"indices.{(high ? "high" : "low")}{bits}", Tensor.Of([.. Enumerable.Range(0, count).Select(j => Math.Min(bits - 1, j * bits / 8 + (high ? 1 : 0)))], count));

    // A shift by 8 is not defined; by 7 leaves a bit that an index of 7 bits or fewer does not have.
    private Value Shifts(int bits, int count, bool high) => Constant(
        $"indices.{(high ? "left" : "right")}{bits}", Tensor.Of([.. Enumerable.Range(0, count).Select(j => (byte)(high ? Math.Min(7, 8 - j * bits % 8) : j * bits % 8))], count));

    private Value Constant(string name, Tensor tensor) =>
        _constants.TryGetValue(name, out var value) ? value : _constants[name] = graph.AddInitializer(name, tensor);

    private Value Cast(Value value, string name, Node before) => Node("Cast", name, before, [value], NodeAttribute.Int("to", (long)DataType.Int32));

    private Value Node(string opType, string name, Node before, ReadOnlySpan<Value?> inputs, params ReadOnlySpan<NodeAttribute> attributes) =>
        graph.Add(opType, inputs, $"{name}.{opType}", attributes, before: before);
}
