namespace Build.ML.Quantization.Blocks;

/// <summary>How quantized weights of matrix products stand in the model.</summary>
public enum WeightForm
{
    /// <summary>ONNX Runtime's operators com.microsoft.MatMulNBits and GatherBlockQuantized, which read packed weights; filters of convolutions by Cast and Mul, computed on loading.</summary>
    MatmulNbits,

    /// <summary>ONNX's own DequantizeLinear before the float operator; opset 21 or later, 25 for 2 bits; look-ups with 8 bits only.</summary>
    DequantizeLinear,
}
