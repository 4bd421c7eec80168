namespace Build.ML.Graph.Shapes.Rules;

/// <summary>Conversions between real and quantized tensors.</summary>
[ShapeRules]
sealed class QuantizationShapes : ShapeRuleTable
{
    public QuantizationShapes()
    {
        Rule("QuantizeLinear", Quantize);
        Rule("DequantizeLinear", Dequantize);
        Rule("DynamicQuantizeLinear", c =>
        {
            c.Set(0, DataType.UInt8, c.ShapeOf(0));
            c.Set(1, DataType.Float, new Shape());
            c.Set(2, DataType.UInt8, new Shape());
        });
        Rule("QuantizeLinear", Quantize, Microsoft);
        Rule("DequantizeLinear", Dequantize, Microsoft);
    }

    private static void Quantize(ShapeContext c)
    {
        // The type: of the zero point, else output_dtype (version 21), else uint8.
        var element = c.HasInput(2) ? c.ElementOf(2) : c.Element("output_dtype", DataType.Undefined);
        c.Set(0, element == DataType.Undefined && !c.HasInput(2) ? DataType.UInt8 : element, c.ShapeOf(0));
    }

    private static void Dequantize(ShapeContext c)
    {
        var element = c.Element("output_dtype", DataType.Undefined); // version 23
        c.Set(0, element == DataType.Undefined ? c.ElementOf(1) : element, c.ShapeOf(0));
    }
}
