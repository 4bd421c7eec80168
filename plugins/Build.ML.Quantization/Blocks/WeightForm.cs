namespace Build.ML.Quantization.Blocks;

/// <summary>How quantized weights of matrix products stand in the model.</summary>
public enum WeightForm
{
    /// <summary>ONNX Runtime's operator com.microsoft.MatMulNBits, which multiplies by packed weights.</summary>
    MatmulNbits,

    /// <summary>ONNX's own DequantizeLinear before the float operator; opset 21 or later, 4 or 8 bits.</summary>
    DequantizeLinear,
}
