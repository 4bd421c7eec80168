namespace Build.ML.Pruning.Structured;

/// <summary>How the layers that read a pruned axis make up for what is gone.</summary>
public enum Compensation
{
    /// <summary>Not at all.</summary>
    None,

    /// <summary>
    /// Their weights and biases become those whose outputs on the calibration data are nearest to what the layer gave in the model before pruning, layer by layer with the inputs that the layers
    /// before now give (He, Zhang and Sun 2017, "Channel Pruning for Accelerating Very Deep Neural Networks", arXiv 1707.06168, §3.1 and §3.2).
    /// </summary>
    LeastSquares,
}
