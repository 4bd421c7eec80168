namespace Build.ML.Quantization.Static;

/// <summary>What becomes of activations.</summary>
public enum ActivationRounding
{
    /// <summary>8-bit integers, for integer kernels.</summary>
    Int8,

    /// <summary>Real numbers, as before.</summary>
    None,
}

/// <summary>How weights become integers.</summary>
public enum WeightRounding
{
    /// <summary>To the nearest.</summary>
    Nearest,

    /// <summary>Up or down as learnt from calibration data.</summary>
    Adaround,
}
