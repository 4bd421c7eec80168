using Build.ML.Graph;
using Build.ML.Graph.Tensors;

namespace Build.ML.Quantization.Weights;

/// <summary>Integers of one byte each written as ONNX's <c>int4</c>: two a byte, the first in the low half, two's complement.</summary>
/// <param name="integers">int8, each −8 to 7.</param>
internal sealed class NibbleContent(Tensor integers) : TensorContent
{
    /// <inheritdoc/>
    public override long Length => (integers.Count + 1) / 2;

    /// <summary>The tensor of type int4 with these integers.</summary>
    public static Tensor Pack(Tensor integers) => new(DataType.Int4, integers.Sizes.AsSpan(), new NibbleContent(integers));

    /// <inheritdoc/>
    public override ContentView Open()
    {
        using var view = integers.Read<byte>();
        var packed = new byte[checked((int)Length)];
        for (var i = 0; i < view.Span.Length; i++)
        {
            packed[i >> 1] |= (byte)((view.Span[i] & 0xF) << ((i & 1) << 2));
        }

        return new MemoryContent(packed).Open();
    }
}
