namespace Build.ML.Pruning.Structured;

/// <summary>What becomes of the running statistics of batch normalization after pruning.</summary>
public enum BatchNormStatistics
{
    /// <summary>They stay.</summary>
    Keep,

    /// <summary>Mean and variance are taken anew from calibration data, layer by layer (Li et al. 2020, "EagleEye", arXiv 2007.02491, §3.3).</summary>
    Reestimate,
}
