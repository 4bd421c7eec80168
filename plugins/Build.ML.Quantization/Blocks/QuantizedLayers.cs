using Build.ML.Calibration.Layers;
using Build.ML.Graph.Tensors;

namespace Build.ML.Quantization.Blocks;

/// <summary>Layers and the matrices of codes that stand for them.</summary>
internal static class QuantizedLayers
{
    /// <summary>The format with scales of a type that the layer's operators take.</summary>
    public static BlockFormat Adapt(this WeightLayer layer, BlockFormat format) => format with { ScaleType = layer.ComputeType };

    /// <summary>The weight with the numbers that a quantized matrix stands for, computed when asked for.</summary>
    public static Tensor Restore(this WeightLayer layer, BlockQuantizedMatrix matrix) => layer.Restore(matrix.Dequantize);
}
