using Build.ML.Abstractions.Inference;
using Build.ML.Graph;
using Build.ML.Graph.Catalogs;
using Build.ML.Graph.Ir;
using Build.ML.Graph.Tensors;

namespace Build.ML.Engine.Inspection;

/// <summary>How one layer's weight is stored.</summary>
/// <param name="Form">The form's name, such as <c>QDQ</c> or <c>MatMulNBits</c>; <c>-</c> for real numbers.</param>
/// <param name="Data">The constant that holds the weight itself, without its scales.</param>
/// <param name="Bits">Bits of one element.</param>
/// <param name="Elements">Number of weights.</param>
/// <param name="Bytes">Bytes of all constants that the weight is made of: integers, scales, zero points.</param>
/// <param name="Granularity">How many weights share a scale: <c>tensor</c>, <c>channel</c>, <c>block 32</c>; <c>-</c> for real numbers.</param>
/// <param name="Activations">What the layer multiplies the weight with: <c>float</c>, <c>u8 static</c>, <c>u8 dynamic</c>, …; <c>-</c> for look-ups.</param>
internal sealed record StoredWeight(string Form, Value Data, int Bits, long Elements, long Bytes, string Granularity, string Activations);

/// <summary>One way of storing a layer's weight. A sealed class with <see cref="WeightFormAttribute"/> adds one; no list is kept.</summary>
internal abstract class WeightForm
{
    /// <summary>What a node's weight is stored as, or null where the node is no layer of this form.</summary>
    public abstract StoredWeight? Describe(Node node);

    /// <summary>
    /// The real numbers that the weight stands for, read by letting the runtime compute them: matrices as [outputs, inputs], filters and tables as they are. Null
    /// where the scales cannot be told.
    /// </summary>
    /// <param name="node">A node that <see cref="Describe"/> described.</param>
    /// <param name="model">The model it is of.</param>
    /// <param name="inference">Runs small models.</param>
    public abstract Tensor? Read(Node node, Model model, IInference inference);

    /// <summary>For example <c>u8 static</c>: the type of what a layer reads behind a QuantizeLinear or DynamicQuantizeLinear; <c>float</c> without one.</summary>
    protected static string Activations(Value? input)
    {
        var producer = input?.Producer;
        if (producer is not null && producer.Is("DequantizeLinear"))
        {
            producer = producer.Inputs[0]!.Producer;
        }

        return producer is null ? "float"
            : producer.Is("DynamicQuantizeLinear") ? "u8 dynamic"
            : producer.Is("QuantizeLinear") ? $"{TypeOf(producer)} static"
            : "float";
    }

    /// <summary>Bytes of constant inputs.</summary>
    protected static long BytesOf(params ReadOnlySpan<Value?> constants)
    {
        long bytes = 0;
        foreach (var constant in constants)
        {
            bytes += constant?.Constant?.ByteLength ?? 0;
        }

        return bytes;
    }

    /// <summary>For example <c>s8</c>.</summary>
    protected static string ShortName(DataType type) => type switch
    {
        DataType.Int8 => "s8",
        DataType.UInt8 => "u8",
        DataType.Int16 => "s16",
        DataType.UInt16 => "u16",
        DataType.Int4 => "s4",
        DataType.UInt4 => "u4",
        DataType.Int2 => "s2",
        DataType.UInt2 => "u2",
        _ => type.OnnxName(),
    };

    private static string TypeOf(Node quantize) => quantize.Input(2) is { } zeroPoint ? ShortName(zeroPoint.ElementType)
        : quantize.Int("output_dtype", 0) is var type and not 0 ? ShortName((DataType)type) : "u8";
}

/// <summary>Puts a <see cref="WeightForm"/> into the catalog, under its class name.</summary>
internal sealed class WeightFormAttribute() : CatalogAttribute(null)
{
    /// <inheritdoc/>
    public override Type EntryType => typeof(WeightForm);
}
