namespace Build.ML.Quantization.SmoothQuant;

/// <summary>How activations are rounded after smoothing.</summary>
public enum ActivationForm
{
    /// <summary>At run time, under the extremes of each input: <c>quantize.dynamic</c>.</summary>
    Dynamic,

    /// <summary>Under ranges of the calibration data: <c>quantize.static</c>.</summary>
    Static,

    /// <summary>Not at all: the model is only smoothed, a later step quantizes.</summary>
    None,
}
